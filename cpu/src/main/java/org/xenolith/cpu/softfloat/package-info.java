/** Exact arithmetic on the significands of floating-point numbers, shared by x87 and SSE. Depends on nothing. */
package org.xenolith.cpu.softfloat;

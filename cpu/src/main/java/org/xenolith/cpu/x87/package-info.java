/** The x87 floating-point unit: 80-bit arithmetic, its register stack, control and status, and the memory images of its state. */
package org.xenolith.cpu.x87;

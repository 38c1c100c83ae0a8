/**
 * What MMX and SSE to SSE4.2 instructions compute, on 64-bit halves of registers: an SSE register n is {@code xmm[2 * n]} (bits 63 to 0)
 * and {@code xmm[2 * n + 1]}. Pure arithmetic: operand access, alignment and the choice of a fault are the processor's.
 */
package org.xenolith.cpu.sse;

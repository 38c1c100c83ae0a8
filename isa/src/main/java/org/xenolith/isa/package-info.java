/**
 * The x86-64 instruction set as one table, {@code instructions.txt}, and what comes out of it: {@link org.xenolith.isa.Decoder} (bytes to
 * {@link org.xenolith.isa.Instruction}), {@link org.xenolith.isa.Encoder} and {@link org.xenolith.isa.Assembler} (back to bytes),
 * {@link org.xenolith.isa.Printer} (text as objdump's), and {@link org.xenolith.isa.Form}, which goes through all that can be encoded.
 *
 * <pre>{@code
 * Instruction in = new Decoder().decode(bytes, 0, bytes.length, 0x401000, CpuMode.LONG64);
 * if (in == null) ...                                  // more bytes are needed
 * else if (in.mnemonic == Mnemonic.INVALID) ...        // #UD
 * else System.out.println(in + ", " + in.length + " bytes, needs " + in.encoding.feature);
 * }</pre>
 */
package org.xenolith.isa;

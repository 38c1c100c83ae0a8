/**
 * The fast engine: x86-64 guest code to x86-64 machine code of the host, kept in executable memory and called through java.lang.foreign.
 *
 * <p>What an instruction means stays where it is written, in the module {@code cpu}. The translator re-encodes a guest's instruction only
 * where every x86-64 host gives the architecturally same result, and lets the interpreter run all others, one at a time. So each place in
 * the machine code that cannot go on (a TLB miss, a store to code, a division that faults, an instruction that is not re-encoded) is one
 * and the same thing: a {@link org.xenolith.translator.Site}, at which the state is exact, the interpreter runs one instruction, and the
 * machine code goes on behind it.
 *
 * <ul>
 *   <li>{@link org.xenolith.translator.Translator} holds the translations of a machine, {@link org.xenolith.translator.TranslatedRun} runs
 *       them for one processor.
 *   <li>{@link org.xenolith.translator.Trace} chooses what is translated together, {@link org.xenolith.translator.FlagPlan} finds out which
 *       flags are needed where, {@link org.xenolith.translator.TraceTranslator} emits.
 *   <li>{@link org.xenolith.translator.Emitter} writes bytes, {@link org.xenolith.translator.State} is what machine code and Java share.
 * </ul>
 */
package org.xenolith.translator;

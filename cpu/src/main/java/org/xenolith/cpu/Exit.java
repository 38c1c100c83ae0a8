package org.xenolith.cpu;

/**
 * Why a processor stopped running. Whoever owns the exit answers it (changes the processor's state) and runs the processor again. At every
 * exit the processor's registers are exact.
 */
public sealed interface Exit {
  /** The count given to {@link Cpu#run} was reached. Not architectural: never part of a run's digest. */
  record Budget() implements Exit {}

  /**
   * A fault or trap. RIP is at the faulting instruction for faults, behind it for traps (#DB after an instruction, #BP, #OF).
   *
   * @param vector 0 to 31, see {@link Fault}
   * @param errorCode the error code, or {@link Fault#NO_ERROR_CODE} where the vector has none
   * @param address for #PF the linear address; for #DB the bits to set in DR6; otherwise 0
   */
  record Exception(int vector, int errorCode, long address) implements Exit {}

  /** {@code int vector}. RIP is at the instruction; whether it is allowed (the gate's DPL) is the owner's to decide. */
  record SoftwareInterrupt(int vector, int length) implements Exit {}

  /** SYSCALL: rcx and r11 hold RIP of the next instruction and RFLAGS, RIP is behind the instruction, all else is as before. */
  record Syscall() implements Exit {}

  /** SYSENTER. RIP is at the instruction. */
  record Sysenter() implements Exit {}

  /** HLT at privilege level 0. RIP is behind the instruction; it goes on with the next interrupt, NMI or INIT. */
  record Halt() implements Exit {}

  /**
   * At this instruction boundary the processor takes an interrupt: one is asserted ({@link Interrupts#assertLine}), RFLAGS.IF is set and no
   * shadow of STI or MOV SS holds it back. Only of processors that own privilege level 0.
   */
  record Interrupt() implements Exit {}

  /** Likewise an NMI, which IF does not hold back but an NMI not yet returned from (IRET) does. */
  record NonMaskable() implements Exit {}

  /** VMMCALL, where a hypervisor listens ({@link Cpu#hypercalls}). RIP is behind the instruction. */
  record Hypercall() implements Exit {}

  /**
   * The second stage of translation does not allow an access (guest-physical address, and {@link Mmu#READ}, WRITE or FETCH). RIP is at the
   * instruction, of which nothing has happened.
   */
  record SecondStageViolation(long gpa, int access) implements Exit {}

  /**
   * Something a real processor has and this one does not yet. RIP is at the instruction. {@code what} names it; a processor that really
   * lacks it raises {@code vector} (#UD, or #GP(0)).
   */
  record Unimplemented(String what, int vector) implements Exit {}
}

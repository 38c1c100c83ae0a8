package org.xenolith.xen.pv;

/** What the PV interface keeps for one vcpu besides its processor's registers (Xen's struct pv_vcpu, asm-x86/domain.h). */
public final class PvState {
  /** Flags of a trap table entry (public header arch-x86/xen.h, struct trap_info): bits 0 and 1 are the DPL, bit 2 masks events. */
  public static final int TRAP_MASKS_EVENTS = 4;

  /** The virtual IDT: entry points (0: none), code selectors and flags by vector. */
  public final long[] trapAddress = new long[256];

  public final int[] trapCs = new int[256];
  public final int[] trapFlags = new int[256];

  /** Entry points registered as callbacks, 0: none. */
  public long eventCallback, failsafeCallback, syscallCallback, syscall32Callback, sysenterCallback;

  // The failsafe callback tells of segment registers that could not be loaded when a vcpu was scheduled. Here each vcpu keeps its own
  // processor, which loads nothing then, so it is kept and never called.
  public boolean failsafeMasksEvents, syscallMasksEvents, syscall32MasksEvents, sysenterMasksEvents;

  /** Where frames go when the guest's user mode is left (stack_switch). */
  public long kernelSp;

  public int kernelSs;

  /** The control registers as the guest sees them: of CR0 only TS is the guest's own. */
  public boolean taskSwitched;

  public long cr2;
  public long cr4;

  /** I/O privilege level times 0x1000, as in RFLAGS. */
  public int iopl;

  /** Linear address and size in ports of the guest's I/O bitmap. */
  public long ioBitmap;

  public int ioBitmapPorts;

  /** Debug registers as the guest reads them. */
  public long dr6 = 0xffff_0ff0L;

  public long dr7 = 0x400;

  /** Bits of DR7 for I/O breakpoints, which hardware does not carry for the guest. */
  public long dr7Io;

  /** An NMI waits; and one is being handled (cleared by iret). */
  public boolean nmiPending, nmiMasked;

  /** MSR_MISC_FEATURES_ENABLES.cpuid_faulting: CPUID in guest user mode raises #GP. */
  public boolean cpuidFaulting;

  /** The registers hold what SYSRET would load: on the way back rcx and r11 become RIP and RFLAGS (Xen's TRAP_syscall). */
  boolean viaSysret;

  /** CS and SS hold selectors that were not looked up yet; the way back to the guest does, and faults there if they do not do. */
  boolean loadSelectors;

  /** An exception waits to be delivered on the way back: to this address (0: nobody handles it), with this error code or -1. */
  boolean bounce;

  long bounceRip;
  boolean bounceMasksEvents;
  int bounceErrorCode = -1;
}

package org.xenolith.machine.apic;

import org.xenolith.cpu.Clock;
import org.xenolith.machine.EventQueue;

/**
 * The local APIC of one processor, as memory-mapped registers (xAPIC) or model-specific ones (x2APIC). Registers, their reserved bits and
 * their states after reset: Intel SDM volume 3, chapter "Advanced Programmable Interrupt Controller". Six local vectors; no directed EOI.
 *
 * <p>Where the manuals leave an access open (not 4 bytes wide, not at the start of a register) writes are ignored and reads return what the
 * register holds at that byte.
 */
public final class LocalApic {
  /** What a local APIC says to its processor. */
  public interface Core {
    /** Sets the level of the interrupt line. */
    void interrupt(boolean asserted);

    /** A non-maskable interrupt. */
    void nmi();

    /** INIT. */
    void init();

    /** A startup interprocessor interrupt. */
    void startup(int vector);

    /** What the processor's time-stamp counter is ahead of the clock. */
    long tscOffset();

    /** Software has enabled the local APIC, by its spurious-interrupt vector register. */
    default void apicEnabled() {}
  }

  /** Where the registers are after reset. */
  public static final long DEFAULT_BASE = 0xfee0_0000L;

  /** Model-specific registers. */
  public static final int MSR_BASE = 0x1b, MSR_TSC_DEADLINE = 0x6e0, MSR_X2APIC = 0x800;

  private static final long BASE_BSP = 1 << 8, BASE_EXTENDED = 1 << 10, BASE_ENABLED = 1 << 11;

  /** Register numbers: the memory-mapped offset is 16 times, the model-specific register {@link #MSR_X2APIC} plus that. */
  private static final int ID = 0x02, VERSION = 0x03, TPR = 0x08, APR = 0x09, PPR = 0x0a, EOI = 0x0b, LDR = 0x0d, DFR = 0x0e, SVR = 0x0f,
      ISR = 0x10, TMR = 0x18, IRR = 0x20, ESR = 0x28, ICR = 0x30, ICR_HIGH = 0x31, LVT = 0x32, LVT_LAST = 0x37, TIMER_INITIAL = 0x38,
      TIMER_CURRENT = 0x39, TIMER_DIVIDE = 0x3e, SELF_IPI = 0x3f;

  /** Indices of local vectors. */
  private static final int LVT_TIMER = 0, LVT_COUNTERS = 2, LVT_LINT0 = 3, LVT_LINT1 = 4, LVT_ERROR = 5;

  /** Writable bits of the local vectors: timer, thermal, performance, LINT0, LINT1, error. */
  private static final int[] LVT_BITS = {0x7_00ff, 0x1_07ff, 0x1_07ff, 0x1_a7ff, 0x1_a7ff, 0x1_00ff};

  private static final int MASKED = 1 << 16;
  private static final int SVR_ENABLED = 1 << 8;

  /** An integrated APIC with six local vectors. */
  private static final int VERSION_VALUE = 0x14 | LVT_BITS.length - 1 << 16;

  private static final int ERROR_SEND_VECTOR = 1 << 5, ERROR_RECEIVE_VECTOR = 1 << 6, ERROR_REGISTER = 1 << 7;

  private final int id;
  private final ApicBus bus;
  private final Core core;
  private final ApicTimer timer;
  private final int physicalBits;

  private long base;
  private int idRegister;
  private int tpr;
  private int ldr;
  private int dfr;
  private int svr;
  private int errors, errorsSeen;
  private long icr;
  private final int[] lvt = new int[LVT_BITS.length];
  private final VectorSet irr = new VectorSet(), isr = new VectorSet(), tmr = new VectorSet();
  private boolean lint0;
  private boolean asserted;

  /**
   * One as after reset.
   *
   * @param id its number, 0 to 254; the one of number 0 is the boot processor's
   * @param physicalBits of a machine address: IA32_APIC_BASE has no bits beyond
   */
  public LocalApic(int id, Clock clock, EventQueue events, ApicBus bus, Core core, int physicalBits) {
    this.id = id;
    this.bus = bus;
    this.core = core;
    this.physicalBits = physicalBits;
    timer = new ApicTimer(clock, events, this, core);
    base = DEFAULT_BASE | BASE_ENABLED | (id == 0 ? BASE_BSP : 0);
    idRegister = id;
    bus.add(this);
    reset();
  }

  /** INIT: everything but the identification and IA32_APIC_BASE is as after reset. */
  public void init() {
    reset();
  }

  private void reset() {
    tpr = 0;
    ldr = 0;
    dfr = -1;
    svr = 0xff;
    errors = 0;
    errorsSeen = 0;
    icr = 0;
    for (int n = 0; n < lvt.length; n++) {
      lvt[n] = MASKED;
    }
    irr.clear();
    isr.clear();
    tmr.clear();
    timer.reset();
    update();
  }

  /**
   * As a PC's firmware leaves the boot processor's: enabled, LINT0 passes the 8259's interrupts on, LINT1 is NMI (Intel MultiProcessor
   * Specification 1.4, section 3.6.2.2, virtual wire mode).
   */
  public void virtualWire() {
    svr |= SVR_ENABLED;
    lvt[LVT_LINT0] = ApicBus.EXTERNAL << 8;
    lvt[LVT_LINT1] = ApicBus.NMI << 8;
    update();
  }

  /** Its number. */
  public int id() {
    return id;
  }

  /** Whether IA32_APIC_BASE enables it: what CPUID leaf 1, edx bit 9 says. */
  public boolean enabled() {
    return (base & BASE_ENABLED) != 0;
  }

  private boolean extended() {
    return (base & BASE_EXTENDED) != 0;
  }

  // ---- Memory-mapped registers ----

  /** Whether a machine address is one of its registers. */
  public boolean covers(long pa) {
    return (base & (BASE_ENABLED | BASE_EXTENDED)) == BASE_ENABLED && ((pa ^ base) & -4096) == 0;
  }

  /** Reads {@code size} bytes at a machine address that it {@link #covers}. */
  public long read(long pa, int size) {
    int register = (int) pa >>> 4 & 0xff;
    int inside = (int) pa & 15;
    if (inside >= 4) {
      return 0;
    }
    long value = 0;
    if (exists(register)) {
      value = register == ICR ? icr : register == ICR_HIGH ? icr >>> 32 : readRegister(register);
    } else {
      error(ERROR_REGISTER);
    }
    return (value & 0xffff_ffffL) >>> 8 * inside & -1L >>> 64 - 8 * size;
  }

  /** Writes {@code size} bytes at a machine address that it {@link #covers}. */
  public void write(long pa, int size, long value) {
    int register = (int) pa >>> 4 & 0xff;
    if (size != 4 || (pa & 15) != 0) {
      return;
    }
    switch (register) {
      case ID -> idRegister = (int) value >>> 24;
      case LDR -> ldr = (int) value & 0xff00_0000;
      case DFR -> dfr = (int) value | 0x0fff_ffff;
      case ICR -> {
        icr = icr & ~0xffff_ffffL | value & 0xc_cfffL;
        command();
      }
      case ICR_HIGH -> icr = icr & 0xffff_ffffL | (value & 0xff00_0000L) << 32;
      case SELF_IPI -> error(ERROR_REGISTER);
      default -> {
        if (exists(register)) {
          writeRegister(register, (int) value);
        } else {
          error(ERROR_REGISTER);
        }
      }
    }
  }

  private static boolean exists(int register) {
    return switch (register) {
      case ID, VERSION, TPR, APR, PPR, EOI, LDR, DFR, SVR, ESR, ICR, ICR_HIGH, TIMER_INITIAL, TIMER_CURRENT, TIMER_DIVIDE -> true;
      default -> register >= ISR && register < ESR || register >= LVT && register <= LVT_LAST;
    };
  }

  // ---- Model-specific registers ----

  /** Whether a model-specific register is this class's to answer. */
  public static boolean hasMsr(int msr) {
    return msr == MSR_BASE || msr == MSR_TSC_DEADLINE || msr >= MSR_X2APIC && msr < MSR_X2APIC + 0x100;
  }

  /**
   * Reads a model-specific register that {@link #hasMsr} names.
   *
   * @return false for #GP(0)
   */
  public boolean readMsr(int msr, long[] value) {
    if (msr == MSR_BASE) {
      value[0] = base;
      return true;
    }
    if (msr == MSR_TSC_DEADLINE) {
      value[0] = timer.deadline();
      return true;
    }
    int register = msr - MSR_X2APIC;
    if (!extended() || !exists(register) || register == DFR || register == EOI || register == ICR_HIGH || register == APR) {
      return false;
    }
    value[0] = switch (register) {
      case ID -> id;
      case LDR -> logicalId();
      case ICR -> icr;
      default -> readRegister(register) & 0xffff_ffffL;
    };
    return true;
  }

  /**
   * Writes a model-specific register that {@link #hasMsr} names.
   *
   * @return false for #GP(0)
   */
  public boolean writeMsr(int msr, long value) {
    if (msr == MSR_BASE) {
      return setBase(value);
    }
    if (msr == MSR_TSC_DEADLINE) {
      timer.setDeadline(value);
      return true;
    }
    if (!extended()) {
      return false;
    }
    int register = msr - MSR_X2APIC;
    if (register == ICR) {
      if ((value & 0xfff3_2000L) != 0) {
        return false;
      }
      icr = value & ~(1L << 12);
      command();
      return true;
    }
    long writable = switch (register) {
      case TPR, SELF_IPI -> 0xff;
      case EOI, ESR -> 0;
      case SVR -> 0x1ff;
      case TIMER_INITIAL -> 0xffff_ffffL;
      case TIMER_DIVIDE -> 0xb;
      default -> register >= LVT && register <= LVT_LAST ? LVT_BITS[register - LVT] | 1 << 12 | 1 << 14 : -1;
    };
    if (writable < 0 || (value & ~writable) != 0) {
      return false;
    }
    if (register == SELF_IPI) {
      sendSelf((int) value, false);
    } else {
      writeRegister(register, (int) value);
    }
    return true;
  }

  /** Intel SDM volume 3, "x2APIC State Transitions": the extended mode is entered from the enabled one and left by disabling. */
  private boolean setBase(long value) {
    long reserved = -1L << physicalBits | 0xff | 1 << 9;
    if ((value & reserved) != 0) {
      return false;
    }
    boolean enable = (value & BASE_ENABLED) != 0;
    boolean extend = (value & BASE_EXTENDED) != 0;
    if (extend && (!enable || !enabled()) || extended() && enable && !extend) {
      return false;
    }
    boolean extends_ = extend && !extended();
    base = value;
    if (!enable) {
      reset();
      idRegister = id;
    } else if (extends_) {
      // Of the interrupt command register the upper half, whose form changes, is cleared.
      icr &= 0xffff_ffffL;
    }
    update();
    return true;
  }

  /** The logical address in extended mode: cluster and bit. */
  private int logicalId() {
    return id >>> 4 << 16 | 1 << (id & 15);
  }

  // ---- Registers that both modes have ----

  private int readRegister(int register) {
    return switch (register) {
      case ID -> idRegister << 24;
      case VERSION -> VERSION_VALUE;
      case TPR -> tpr;
      case APR -> arbitrationPriority();
      case PPR -> processorPriority();
      case LDR -> ldr;
      case DFR -> dfr;
      case SVR -> svr;
      case ESR -> errorsSeen;
      case TIMER_INITIAL -> timer.initial();
      case TIMER_CURRENT -> (int) timer.current();
      case TIMER_DIVIDE -> timer.divideRegister();
      case EOI -> 0;
      default -> {
        if (register >= LVT) {
          int n = register - LVT;
          // Bit 14 of LINT0 is the remote IRR of a level-triggered interrupt; here it never stays set.
          yield lvt[n];
        }
        yield (register < TMR ? isr : register < IRR ? tmr : irr).register(register & 7);
      }
    };
  }

  private void writeRegister(int register, int value) {
    switch (register) {
      case TPR -> {
        tpr = value & 0xff;
        update();
      }
      case EOI -> endOfInterrupt();
      case SVR -> {
        svr = value & 0x1ff;
        if ((svr & SVR_ENABLED) == 0) {
          for (int n = 0; n < lvt.length; n++) {
            lvt[n] |= MASKED;
          }
          configureTimer();
        } else {
          core.apicEnabled();
        }
        update();
      }
      case ESR -> {
        errorsSeen = errors;
        errors = 0;
      }
      case TIMER_INITIAL -> timer.setInitial(value);
      case TIMER_DIVIDE -> timer.setDivide(value);
      default -> {
        if (register >= LVT && register <= LVT_LAST) {
          int n = register - LVT;
          lvt[n] = value & LVT_BITS[n] | ((svr & SVR_ENABLED) == 0 ? MASKED : 0);
          if (n == LVT_TIMER) {
            configureTimer();
          }
          update();
        }
      }
    }
  }

  private void configureTimer() {
    timer.configure(lvt[LVT_TIMER] >>> 17 & 3, (lvt[LVT_TIMER] & MASKED) != 0);
  }

  // ---- Sending ----

  private void command() {
    int mode = (int) icr >>> 8 & 7;
    int vector = (int) icr & 0xff;
    boolean asserts = (icr & 1 << 14) != 0;
    boolean level = (icr & 1 << 15) != 0;
    if (mode == ApicBus.INIT && level && !asserts) {
      // INIT level de-assert only set arbitration identifications, which only processors before the Pentium 4 have.
      return;
    }
    if ((mode == ApicBus.FIXED || mode == ApicBus.LOWEST_PRIORITY) && vector < 16) {
      error(ERROR_SEND_VECTOR);
      return;
    }
    switch ((int) icr >>> 18 & 3) {
      case 0 -> {
        int destination = (int) (icr >>> 32);
        if (!extended()) {
          destination >>>= 24;
          destination = destination == 0xff ? ApicBus.EVERYBODY : destination;
        }
        bus.send((icr & 1 << 11) != 0, destination, mode, vector, false);
      }
      case 1 -> receive(mode, vector, false);
      case 2 -> bus.broadcast(null, mode, vector, false);
      default -> bus.broadcast(this, mode, vector, false);
    }
  }

  private void sendSelf(int vector, boolean level) {
    if (vector < 16) {
      error(ERROR_SEND_VECTOR);
    } else {
      receive(ApicBus.FIXED, vector, level);
    }
  }

  // ---- Receiving ----

  /** Whether it takes part in an arbitration: a local APIC that is disabled takes no fixed interrupts. */
  boolean accepts() {
    return enabled() && (svr & SVR_ENABLED) != 0;
  }

  /** Whether a message is for it (Intel SDM volume 3, "Determining IPI Destination"). */
  boolean isAddressed(boolean logical, int destination) {
    if (destination == ApicBus.EVERYBODY) {
      return true;
    }
    if (!logical) {
      return destination == (extended() ? id : idRegister);
    }
    if (extended()) {
      int own = logicalId();
      return own >>> 16 == destination >>> 16 && (own & destination & 0xffff) != 0;
    }
    int own = ldr >>> 24;
    if (dfr >>> 28 == 0xf) {
      return (own & destination & 0xff) != 0;
    }
    boolean cluster = destination >>> 4 == own >>> 4 || destination >>> 4 == 0xf;
    return dfr >>> 28 == 0 && cluster && (own & destination & 0xf) != 0;
  }

  void receive(int mode, int vector, boolean level) {
    if (!enabled()) {
      return;
    }
    switch (mode) {
      case ApicBus.FIXED, ApicBus.LOWEST_PRIORITY -> accept(vector, level);
      case ApicBus.NMI -> core.nmi();
      case ApicBus.INIT -> core.init();
      case ApicBus.STARTUP -> core.startup(vector);
      default -> {}
    }
  }

  private void accept(int vector, boolean level) {
    if (!accepts()) {
      return;
    }
    if (vector < 16) {
      error(ERROR_RECEIVE_VECTOR);
      return;
    }
    irr.add(vector);
    if (level) {
      tmr.add(vector);
    } else {
      tmr.remove(vector);
    }
    update();
  }

  /**
   * Accepts an edge-triggered interrupt for this processor alone; lost while software has not enabled the local APIC.
   *
   * @param vector 16 to 255
   */
  public void pend(int vector) {
    accept(vector, false);
  }

  void timerExpired() {
    local(LVT_TIMER);
  }

  /** A performance counter of the processor overflowed. */
  public void counterOverflow() {
    local(LVT_COUNTERS);
  }

  private void local(int n) {
    if ((lvt[n] & MASKED) == 0) {
      int mode = n == LVT_TIMER || n == LVT_ERROR ? ApicBus.FIXED : lvt[n] >>> 8 & 7;
      if (mode == ApicBus.STARTUP || mode == ApicBus.LOWEST_PRIORITY) {
        return;
      }
      receive(mode, lvt[n] & 0xff, false);
    }
  }

  private void error(int bit) {
    boolean first = (errors & bit) == 0;
    errors |= bit;
    // The error vector itself may be illegal.
    if (first) {
      local(LVT_ERROR);
    }
  }

  /** The level of the pin LINT0, to which a PC wires its 8259. */
  public void lint0(boolean level) {
    boolean rises = level && !lint0;
    lint0 = level;
    if (rises && enabled() && (lvt[LVT_LINT0] >>> 8 & 7) != ApicBus.EXTERNAL) {
      local(LVT_LINT0);
    }
    update();
  }

  /** The time-stamp counter of the processor was set: its deadline is nearer or farther now. */
  public void tscMoved() {
    timer.moved();
  }

  // ---- Priorities ----

  /** CR8: the upper half of the task priority. */
  public int taskPriority() {
    return tpr >>> 4;
  }

  /** Sets CR8; the value is 0 to 15. */
  public void setTaskPriority(int priority) {
    tpr = priority << 4;
    update();
  }

  int processorPriority() {
    int service = Math.max(isr.highest(), 0);
    return tpr >>> 4 >= service >>> 4 ? tpr : service & 0xf0;
  }

  private int arbitrationPriority() {
    int requested = Math.max(irr.highest(), 0) & 0xf0;
    int service = Math.max(isr.highest(), 0) & 0xf0;
    return tpr >>> 4 >= requested >>> 4 && tpr >>> 4 > service >>> 4 ? tpr : Math.max(tpr & 0xf0, Math.max(requested, service));
  }

  private boolean external() {
    return lint0 && (!enabled() || (lvt[LVT_LINT0] & MASKED) == 0 && (lvt[LVT_LINT0] >>> 8 & 7) == ApicBus.EXTERNAL);
  }

  /** The vector that may interrupt the processor now, or -1. */
  private int deliverable() {
    int vector = accepts() ? irr.highest() : -1;
    return vector >>> 4 > processorPriority() >>> 4 && vector >= 0 ? vector : -1;
  }

  private void update() {
    boolean now = external() || deliverable() >= 0;
    if (now != asserted) {
      asserted = now;
      core.interrupt(now);
    }
  }

  /** Whether the interrupt line is asserted. */
  public boolean asserted() {
    return asserted;
  }

  /**
   * The processor takes an interrupt.
   *
   * @return its vector; the spurious one if the request went away meanwhile
   */
  public int acknowledge() {
    if (external()) {
      int vector = bus.acknowledgeExternal();
      update();
      if (vector >= 0) {
        return vector;
      }
    }
    int vector = deliverable();
    if (vector < 0) {
      return svr & 0xff;
    }
    irr.remove(vector);
    isr.add(vector);
    update();
    return vector;
  }

  private void endOfInterrupt() {
    int vector = isr.highest();
    if (vector < 0) {
      return;
    }
    isr.remove(vector);
    if (tmr.contains(vector)) {
      bus.ended(vector);
    }
    update();
  }
}

package org.xenolith.cpu;

/**
 * What a processor that owns privilege level 0 finds around it, besides memory: ports, model-specific registers of its interrupt controller
 * and its hypervisor, the task priority behind CR8. Answers come at once, at an exact count of the clock. The machine implements it.
 */
public interface Platform {
  /** IN of {@code size} (1, 2 or 4) bytes, zero-extended. Nobody there: all ones. */
  long in(int port, int size);

  /** OUT of {@code size} (1, 2 or 4) bytes. Nobody there: ignored. */
  void out(int port, int size, long value);

  /**
   * Reads a model-specific register that the processor itself does not have.
   *
   * @param value element 0 receives it
   * @return false where there is none: #GP(0)
   */
  boolean readMsr(int msr, long[] value);

  /**
   * Writes a model-specific register that the processor itself does not have.
   *
   * @return false where there is none, or where it refuses the value: #GP(0)
   */
  boolean writeMsr(int msr, long value);

  /**
   * Whether a model-specific register that {@link #readMsr} does not know is not there at all, though the processor has it: what a
   * hypervisor keeps from its guest is #GP(0).
   */
  default boolean hidesMsr(int msr) {
    return false;
  }

  /** What a hypervisor may want to know of: instructions that leave a guest, or would. */
  enum Privileged {
    /** MOV to and from CRn, CLTS, LMSW, SMSW. */
    CONTROL_REGISTER,
    /** MOV to and from DRn. */
    DEBUG_REGISTER,
    READ_MSR,
    WRITE_MSR,
    /** WBINVD, INVD. */
    CACHE_FLUSH
  }

  /**
   * Such an instruction is executed, and allowed by the privilege level; it may still fault.
   *
   * @param number of the register, 0 where there is none
   */
  default void privileged(Privileged what, int number) {}

  /** CR8: the task priority, 0 to 15. */
  int taskPriority();

  /** Sets CR8; the value is 0 to 15. */
  void setTaskPriority(int priority);

  /** The time-stamp counter was set: what waits for a value of it is nearer or farther now. */
  default void timeStampMoved() {}

  /** A performance counter overflowed that is to interrupt. */
  default void counterOverflow() {}

  /** Nothing around: ports float, no register exists. */
  Platform NONE =
      new Platform() {
        @Override
        public long in(int port, int size) {
          return -1L >>> 64 - 8 * size;
        }

        @Override
        public void out(int port, int size, long value) {}

        @Override
        public boolean readMsr(int msr, long[] value) {
          return false;
        }

        @Override
        public boolean writeMsr(int msr, long value) {
          return false;
        }

        @Override
        public int taskPriority() {
          return 0;
        }

        @Override
        public void setTaskPriority(int priority) {}
      };
}

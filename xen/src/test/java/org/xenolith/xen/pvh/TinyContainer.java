package org.xenolith.xen.pvh;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.image.KernelImage;
import org.xenolith.image.XenNotes;
import org.xenolith.machine.RunOutcome;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Observer;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.XenMachine;

/**
 * A container with a guest of a few instructions of 32-bit code, which run without paging: addresses are guest-physical. A test may also
 * issue hypercalls for its first vcpu without running it.
 */
final class TinyContainer implements AutoCloseable {
  static final long CODE = 0x100000, STACK = 0x1f0000, MEMORY = 4 << 20;

  /** Where tests put arguments of hypercalls. */
  static final long ARGUMENTS = 0x180000;

  static final int MEMORY_OP = 12, XEN_VERSION = 17, CONSOLE_IO = 18, GRANT_TABLE_OP = 20, VCPU_OP = 24, SCHED_OP = 29;
  static final int EVENT_CHANNEL_OP = 32, HVM_OP = 34;

  private final ByteArrayOutputStream code = new ByteArrayOutputStream();
  private final ByteArrayOutputStream log = new ByteArrayOutputStream();
  private PvhMachine machine;
  private int vcpus = 1;
  private long seed = 1;
  private boolean msrRelaxed;
  private byte[] initrd;
  private String commandLine = "";

  TinyContainer vcpus(int count) {
    vcpus = count;
    return this;
  }

  TinyContainer msrRelaxed() {
    msrRelaxed = true;
    return this;
  }

  TinyContainer seed(long number) {
    seed = number;
    return this;
  }

  TinyContainer initrd(byte[] bytes) {
    initrd = bytes;
    return this;
  }

  TinyContainer commandLine(String line) {
    commandLine = line;
    return this;
  }

  // ---- Code ----

  /** Bytes of code. */
  TinyContainer code(int... bytes) {
    for (int b : bytes) {
      code.write(b);
    }
    return this;
  }

  /** {@code mov $value,%register}: eax 0, ecx 1, edx 2, ebx 3, esp 4, esi 6, edi 7. */
  TinyContainer mov(int register, long value) {
    code(0xb8 + register);
    for (int n = 0; n < 4; n++) {
      code((int) (value >>> 8 * n) & 0xff);
    }
    return this;
  }

  /** Issues a hypercall with numbers as arguments. */
  TinyContainer call(int number, long... arguments) {
    int[] registers = {3, 1, 2, 6, 7};
    for (int n = 0; n < arguments.length; n++) {
      mov(registers[n], arguments[n]);
    }
    return mov(0, number).code(0x0f, 0x01, 0xd9);
  }

  /** {@code mov %eax,address}. */
  TinyContainer keep(long address) {
    code(0xa3);
    for (int n = 0; n < 4; n++) {
      code((int) (address >>> 8 * n) & 0xff);
    }
    return this;
  }

  /** Stores a number. */
  TinyContainer put(long address, long value) {
    return mov(0, value).keep(address);
  }

  /** Powers off. */
  TinyContainer powerOff() {
    return put(ARGUMENTS + 0xff0, Domain.SHUTDOWN_POWEROFF).call(SCHED_OP, 2, ARGUMENTS + 0xff0);
  }

  // ---- Running ----

  /** Builds the machine, which then can be looked at and called. */
  TinyContainer build() {
    XenMachine.Settings settings = new XenMachine.Settings("guest", MEMORY, vcpus, msrRelaxed);
    XenMachine.Setup setup = new XenMachine.Setup(image(code.toByteArray()), initrd, commandLine, MEMORY, vcpus, seed, true, settings);
    machine = new PvhMachine(setup, (bytes, length) -> {}, (bytes, length) -> log.write(bytes, 0, length), Observer.NONE);
    return this;
  }

  RunOutcome run() {
    return run(1_000_000);
  }

  RunOutcome run(long limit) {
    if (machine == null) {
      build();
    }
    return machine.run(limit);
  }

  /** Issues a hypercall for vcpu 0. */
  long hypercall(int number, long... arguments) {
    long[] args = new long[6];
    System.arraycopy(arguments, 0, args, 0, arguments.length);
    return machine.xen().hypercalls.call(vcpu(), number, args);
  }

  PvhMachine machine() {
    return machine;
  }

  Vcpu vcpu() {
    return machine.domain().vcpus.getFirst();
  }

  String printed() {
    return log.toString(StandardCharsets.US_ASCII);
  }

  private long machineAddress(long gpa) {
    return machine.p2m().mfnForAccess(gpa >>> GuestMemory.FRAME_SHIFT) << GuestMemory.FRAME_SHIFT | gpa & 0xfff;
  }

  int word(long gpa) {
    return machine.memory().readInt(machineAddress(gpa));
  }

  long read(long gpa) {
    return machine.memory().readLong(machineAddress(gpa));
  }

  void write(long gpa, long value) {
    machine.memory().writeLong(machineAddress(gpa), value);
  }

  /** Writes 4-byte words one after another at {@link #ARGUMENTS}. */
  void arguments(int... words) {
    words(ARGUMENTS, words);
  }

  /** Writes 4-byte words one after another. */
  void words(long gpa, int... words) {
    for (int n = 0; n < words.length; n++) {
      machine.memory().writeInt(machineAddress(gpa + 4L * n), words[n]);
    }
  }

  @Override
  public void close() {
    if (machine != null) {
      machine.close();
    }
  }

  private static KernelImage image(byte[] code) {
    ByteBuffer elf = ByteBuffer.allocate(0x1000 + code.length).order(ByteOrder.LITTLE_ENDIAN);
    elf.put(new byte[] {0x7f, 'E', 'L', 'F', 2, 1, 1}).position(16);
    elf.putShort((short) 2).putShort((short) 62).putInt(1).putLong(CODE).putLong(64).putLong(0).putInt(0);
    elf.putShort((short) 64).putShort((short) 56).putShort((short) 2).putShort((short) 64).putShort((short) 0).putShort((short) 0);
    // What the file does not have of the second page is zero.
    elf.putInt(1).putInt(7).putLong(0x1000).putLong(CODE).putLong(CODE).putLong(code.length).putLong(0x2000).putLong(0x1000);
    elf.putInt(4).putInt(4).putLong(0x200).putLong(0).putLong(0).putLong(24).putLong(24).putLong(4);
    elf.position(0x200);
    elf.putInt(4).putInt(4).putInt(XenNotes.PHYS32_ENTRY).put("Xen\0".getBytes(StandardCharsets.US_ASCII)).putInt((int) CODE);
    elf.position(0x1000);
    elf.put(code);
    return KernelImage.read("tiny container", MemorySegment.ofArray(elf.array()));
  }
}

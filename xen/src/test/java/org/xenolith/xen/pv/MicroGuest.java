package org.xenolith.xen.pv;

import static org.xenolith.isa.Operand.gpr;
import static org.xenolith.isa.Operand.imm;
import static org.xenolith.isa.Operand.mem;
import static org.xenolith.isa.Operand.register;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.image.KernelImage;
import org.xenolith.image.XenNotes;
import org.xenolith.isa.Assembler;
import org.xenolith.isa.Assembler.Label;
import org.xenolith.isa.Mnemonic;
import org.xenolith.isa.OperandKind;
import org.xenolith.machine.RunOutcome;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Observer;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.XenMachine;

/**
 * A guest of a few instructions: a 64-bit ELF file whose notes name no addresses, so that its code is at the virtual and pseudo-physical
 * address {@link #CODE}. Memory from {@link #DATA} on is its own; a test looks at it when the run is over.
 */
final class MicroGuest implements AutoCloseable {
  static final long CODE = 0x100000, DATA = 0x180000, STACK = 0x190000;
  private static final long MEMORY = 16L << 20;

  static final int SET_TRAP_TABLE = 0, STACK_SWITCH = 3, FPU_TASKSWITCH = 5, SET_DEBUGREG = 8, GET_DEBUGREG = 9, MULTICALL = 13;
  static final int SET_TIMER_OP = 15, XEN_VERSION = 17, CONSOLE_IO = 18, VM_ASSIST = 21, IRET = 23, VCPU_OP = 24, SET_SEGMENT_BASE = 25;
  static final int MMUEXT_OP = 26, SCHED_OP = 29, CALLBACK_OP = 30, EVENT_CHANNEL_OP = 32, PHYSDEV_OP = 33;

  private static final int[] ARGUMENTS = {Assembler.RDI, Assembler.RSI, Assembler.RDX, Assembler.R10, Assembler.R8};

  final Assembler a = new Assembler(CODE);
  private final ByteArrayOutputStream log = new ByteArrayOutputStream();
  private PvMachine machine;
  private int vcpus = 1;
  private long memory = MEMORY;
  private boolean stopOnUnknown = true;
  private XenMachine.Settings settings;

  /** Saves start_info's address and takes a stack of its own. */
  MicroGuest() {
    a.mov(Assembler.RBX, DATA - 8).emit(Mnemonic.MOV, mem(Assembler.RBX, 0), gpr(Assembler.RSI));
    a.mov(Assembler.RSP, STACK);
  }

  MicroGuest vcpus(int count) {
    vcpus = count;
    return this;
  }

  MicroGuest memory(long bytes) {
    memory = bytes;
    return this;
  }

  MicroGuest settings(XenMachine.Settings more) {
    settings = more;
    return this;
  }

  MicroGuest goOnWithUnknown() {
    stopOnUnknown = false;
    return this;
  }

  // ---- Code ----

  /** Issues a hypercall with numbers as arguments; the result is in rax. */
  MicroGuest call(int number, long... arguments) {
    for (int n = 0; n < arguments.length; n++) {
      a.mov(ARGUMENTS[n], arguments[n]);
    }
    return call(number);
  }

  private MicroGuest call(int number) {
    a.mov(Assembler.RAX, number).emit(Mnemonic.SYSCALL);
    return this;
  }

  /** Stores rax into the n-th word of the data. */
  MicroGuest keep(int word) {
    return keep(word, Assembler.RAX);
  }

  /** Stores a register into the n-th word of the data; rbx is lost. */
  MicroGuest keep(int word, int register) {
    a.mov(Assembler.RBX, DATA + 8L * word).emit(Mnemonic.MOV, mem(Assembler.RBX, 0), gpr(register));
    return this;
  }

  /** Stores a number into the n-th word of the data; rbx and rcx are lost. */
  MicroGuest put(int word, long value) {
    a.mov(Assembler.RCX, value);
    return keep(word, Assembler.RCX);
  }

  /** Stores a label's address into the n-th word of the data; rbx and rcx are lost. */
  MicroGuest put(int word, Label label) {
    a.lea(Assembler.RCX, label);
    return keep(word, Assembler.RCX);
  }

  /** Adds 1 to the n-th word of the data; rbx is lost. */
  MicroGuest count(int word) {
    a.mov(Assembler.RBX, DATA + 8L * word).emit(Mnemonic.INC, mem(Assembler.RBX, 0));
    return this;
  }

  /** Reads the n-th word of the data into a register. */
  MicroGuest load(int register, int word) {
    a.mov(register, DATA + 8L * word).emit(Mnemonic.MOV, gpr(register), mem(register, 0));
    return this;
  }

  /** Makes the handler of a vector, with the words from {@code scratch} on as the table. */
  MicroGuest handler(int vector, int flags, Label handler, int scratch) {
    put(scratch, vector | flags << 8 | 0xe033L << 16).put(scratch + 1, handler).put(scratch + 2, 0).put(scratch + 3, 0);
    return call(SET_TRAP_TABLE, DATA + 8L * scratch);
  }

  /** Registers a callback, with the words from {@code scratch} on as the structure. */
  MicroGuest callback(int type, int flags, Label handler, int scratch) {
    put(scratch, type | flags << 16).put(scratch + 1, handler);
    return call(CALLBACK_OP, 0, DATA + 8L * scratch);
  }

  /** From the top of an exception's frame without error code: goes back to where it says, by the iret hypercall. */
  MicroGuest goBack() {
    a.emit(Mnemonic.POP, gpr(Assembler.RCX)).emit(Mnemonic.POP, gpr(Assembler.R11)).emit(Mnemonic.PUSH, imm(0));
    a.emit(Mnemonic.PUSH, gpr(Assembler.RCX)).emit(Mnemonic.PUSH, gpr(Assembler.R11)).emit(Mnemonic.PUSH, gpr(Assembler.RAX));
    return call(IRET);
  }

  /** Goes by the iret hypercall to a label, with a stack pointer, as the kernel (cs 0xe030) or as user mode (0xe033). */
  MicroGuest goTo(Label label, int cs, long rflags, long rsp, long flags) {
    for (long word : new long[] {0xe02b, rsp, rflags, cs}) {
      a.mov(Assembler.RAX, word).emit(Mnemonic.PUSH, gpr(Assembler.RAX));
    }
    a.lea(Assembler.RAX, label).emit(Mnemonic.PUSH, gpr(Assembler.RAX));
    for (long word : new long[] {flags, 0xcccc, 0xbbbb, 0xaaaa}) {
      a.mov(Assembler.RAX, word).emit(Mnemonic.PUSH, gpr(Assembler.RAX));
    }
    return call(IRET);
  }

  /** Makes the kernel's root the user mode's as well; the words from {@code scratch} on are the structure. */
  MicroGuest userRoot(int scratch) {
    put(scratch, 15);
    a.emit(Mnemonic.MOV, gpr(Assembler.RCX), register(OperandKind.CR, 3)).emit(Mnemonic.SHR, gpr(Assembler.RCX), imm(12));
    keep(scratch + 1, Assembler.RCX);
    return call(MMUEXT_OP, DATA + 8L * scratch, 1, 0, 0x7ff0);
  }

  /** Prints by console_io. */
  MicroGuest print(String text) {
    Label after = a.newLabel();
    a.jmp(after);
    long at = a.address();
    a.text(text).bind(after);
    return call(CONSOLE_IO, 0, text.length(), at);
  }

  /** Shuts down. */
  MicroGuest shutdown(int reason) {
    put(500, reason);
    return call(SCHED_OP, 2, DATA + 8 * 500);
  }

  /** Powers off: the way a test's guest ends. */
  MicroGuest powerOff() {
    return shutdown(Domain.SHUTDOWN_POWEROFF);
  }

  // ---- Running ----

  RunOutcome run() {
    return run(10_000_000);
  }

  RunOutcome run(long limit) {
    return run(limit, Observer.NONE);
  }

  RunOutcome run(long limit, Observer observer) {
    XenMachine.Settings all = settings != null ? settings : XenMachine.Settings.usual("guest", memory, vcpus);
    PvMachine.Setup setup = new PvMachine.Setup(image(a.toBytes()), null, "", memory, vcpus, 0, stopOnUnknown, all);
    machine = new PvMachine(setup, (bytes, length) -> {}, (bytes, length) -> log.write(bytes, 0, length), observer);
    return machine.run(limit);
  }

  PvMachine machine() {
    return machine;
  }

  Vcpu vcpu() {
    return machine.domain().vcpus.getFirst();
  }

  String printed() {
    return log.toString(StandardCharsets.US_ASCII);
  }

  /** The n-th word of the data. */
  long word(int n) {
    return read(DATA + 8L * n);
  }

  /** 8 bytes at an address of the guest. */
  long read(long va) {
    return machine.xen().memory.readLong((machine.built().p2m()[(int) (va >>> GuestMemory.FRAME_SHIFT)] << 12) + (va & 0xfff));
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
    elf.putInt(1).putInt(7).putLong(0x1000).putLong(CODE).putLong(CODE).putLong(code.length).putLong(code.length).putLong(0x1000);
    elf.putInt(4).putInt(4).putLong(0x200).putLong(0).putLong(0).putLong(72).putLong(72).putLong(4);
    elf.position(0x200);
    note(elf, XenNotes.GUEST_OS, "micro");
    note(elf, XenNotes.XEN_VERSION, "xen-3.0");
    note(elf, XenNotes.LOADER, "generic");
    elf.position(0x1000);
    elf.put(code);
    return KernelImage.read("micro guest", MemorySegment.ofArray(elf.array()));
  }

  private static void note(ByteBuffer elf, int type, String text) {
    elf.putInt(4).putInt(8).putInt(type).put("Xen\0".getBytes(StandardCharsets.US_ASCII));
    elf.put(Arrays.copyOf(text.getBytes(StandardCharsets.US_ASCII), 8));
  }
}

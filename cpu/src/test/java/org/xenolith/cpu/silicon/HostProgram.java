package org.xenolith.cpu.silicon;

import static org.xenolith.isa.Instruction.NO_REGISTER;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HashMap;
import java.util.Map;
import org.xenolith.isa.Encoding;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.Operand;

/**
 * The program that runs cases on the host's processor: a Linux executable of a few hundred bytes, without a library, made by our own
 * encoder. It maps the file named by its argument, and for each byte read from standard input runs the cases in it and writes a byte.
 *
 * <p>A case is entered by loading all registers and jumping to its code. It always ends in a signal (an INT3 if in nothing else), whose
 * handler runs on a stack of its own, copies the interrupted state from the signal's context into the case, and goes on with the next case
 * without ever returning from the signal.
 */
final class HostProgram {
  /** Where the shared file is mapped: a page of variables, then the cases. */
  static final long SHARED_VA = 0x4eb5_0000L;

  static final int COUNT = 0;
  static final int CASES = 4096;

  private static final long IMAGE_VA = 0x4e2d_0000L;
  private static final int HEADERS = 64 + 56;

  // Variables in the first page of the shared file.
  private static final int CURRENT = 8, LEFT = 16, TARGET = 24, BYTE = 32, ACTION = 64, ALTERNATE_STACK = 128;
  private static final int STACK_TOP = 3072, SIGNAL_STACK_VA = 0x5ad3_0000, SIGNAL_STACK_SIZE = 0x10000;

  private static final int RAX = 0, RCX = 1, RDX = 2, RSP = 4, RSI = 6, RDI = 7, R8 = 8, R9 = 9, R10 = 10, R15 = 15;

  // Linux, arch/x86/entry/syscalls/syscall_64.tbl.
  private static final int SYS_READ = 0, SYS_WRITE = 1, SYS_OPEN = 2, SYS_MMAP = 9, SYS_SIGACTION = 13, SYS_EXIT = 60,
      SYS_SIGALTSTACK = 131;
  private static final int PROT_RW = 3, PROT_RWX = 7, MAP_SHARED_FIXED = 0x11, MAP_ANONYMOUS_FIXED = 0x32;
  private static final int SIGILL = 4, SIGTRAP = 5, SIGBUS = 7, SIGFPE = 8, SIGSEGV = 11;

  /** SA_SIGINFO | SA_RESTORER | SA_ONSTACK | SA_NODEFER. */
  private static final int ACTION_FLAGS = 0x4 | 0x0400_0000 | 0x0800_0000 | 0x4000_0000;

  /** Offset of struct sigcontext in struct ucontext, and of its pointer to the floating-point state. */
  private static final int SIGCONTEXT = 40, SIGCONTEXT_FPSTATE = 40 + 23 * 8;

  private static final Map<String, Encoding> ROWS = new HashMap<>();

  static {
    for (Encoding row : Encoding.all()) {
      ROWS.putIfAbsent(row.toString(), row);
    }
  }

  private final ByteArrayOutputStream code = new ByteArrayOutputStream();

  private HostProgram() {}

  /** Whether an address is in the part of the address space where the program keeps its own pages, which the interpreter's side has not. */
  static boolean owns(long va) {
    return va >= IMAGE_VA && va < SIGNAL_STACK_VA + SIGNAL_STACK_SIZE;
  }

  /** The executable. */
  static byte[] executable(int sharedSize) {
    HostProgram p = new HostProgram();
    p.write(sharedSize);
    byte[] text = p.code.toByteArray();
    ByteBuffer elf = ByteBuffer.allocate(HEADERS + text.length).order(ByteOrder.LITTLE_ENDIAN);
    elf.put(new byte[] {0x7f, 'E', 'L', 'F', 2, 1, 1, 0}).putLong(0);
    elf.putShort((short) 2).putShort((short) 62).putInt(1).putLong(IMAGE_VA + HEADERS).putLong(64).putLong(0).putInt(0);
    elf.putShort((short) 64).putShort((short) 56).putShort((short) 1).putShort((short) 0).putShort((short) 0).putShort((short) 0);
    elf.putInt(1).putInt(5).putLong(0).putLong(IMAGE_VA).putLong(IMAGE_VA).putLong(elf.capacity()).putLong(elf.capacity()).putLong(4096);
    return elf.put(text).array();
  }

  private void write(int sharedSize) {
    // open(argv[1], O_RDWR), then the mappings.
    load(RDI, mem(RSP, 16));
    set(RSI, 2);
    call(SYS_OPEN);
    emit("MOV Ev,Gv", 8, Operand.gpr(R8), Operand.gpr(RAX));
    map(SHARED_VA, sharedSize, PROT_RW, MAP_SHARED_FIXED);
    set(R8, -1);
    map(Case.CODE_PAGE_VA, 4096, PROT_RWX, MAP_ANONYMOUS_FIXED);
    map(Case.DATA_VA, Case.DATA_SIZE, PROT_RW, MAP_ANONYMOUS_FIXED);
    map(SIGNAL_STACK_VA, SIGNAL_STACK_SIZE, PROT_RW, MAP_ANONYMOUS_FIXED);
    set(RAX, 0xcc);
    set(RDI, Case.CODE_PAGE_VA);
    set(RCX, 4096);
    emit("STOS Yb,AL", 1, Instruction.REP);

    // sigaltstack(&{ss_sp, ss_flags, ss_size}, 0)
    set(RAX, SIGNAL_STACK_VA);
    store(shared(ALTERNATE_STACK), RAX);
    set(RAX, SIGNAL_STACK_SIZE);
    store(shared(ALTERNATE_STACK + 16), RAX);
    set(RDI, SHARED_VA + ALTERNATE_STACK);
    set(RSI, 0);
    call(SYS_SIGALTSTACK);

    // rt_sigaction(signal, &{handler, flags, restorer, mask}, 0, 8); the handler is behind the forward jump over it.
    int jump = jumpForward("JMP Jz", -1);
    int handler = code.size();
    handler();
    land(jump);
    set(RAX, IMAGE_VA + HEADERS + handler);
    store(shared(ACTION), RAX);
    set(RAX, ACTION_FLAGS);
    store(shared(ACTION + 8), RAX);
    for (int signal : new int[] {SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV}) {
      set(RDI, signal);
      set(RSI, SHARED_VA + ACTION);
      set(RDX, 0);
      set(R10, 8);
      call(SYS_SIGACTION);
    }

    // Wait for a byte; the end of the file is the end of the program.
    waitLoop = code.size();
    set(RDI, 0);
    transfer(SYS_READ);
    emit("CMP Ev,Ibs", 8, Operand.gpr(RAX), Operand.imm(1));
    int go = jumpForward("JCC Jz", 4);
    set(RDI, 0);
    call(SYS_EXIT);
    land(go);
    load(RAX, shared(COUNT));
    store(shared(LEFT), RAX);
    set(RAX, SHARED_VA + CASES);
    store(shared(CURRENT), RAX);
    patch(toFirstCase, code.size());
    runCase();
  }

  private int waitLoop;
  private int toFirstCase;

  /** Runs the case at CURRENT, if any is LEFT; else says so and waits. */
  private void runCase() {
    set(RSP, SHARED_VA + STACK_TOP);
    emit("CMP Ev,Ibs", 8, shared(LEFT), Operand.imm(0));
    int more = jumpForward("JCC Jz", 5);
    set(RDI, 1);
    transfer(SYS_WRITE);
    jumpBack(waitLoop);
    land(more);
    load(R15, shared(CURRENT));
    copy(R15, Case.DATA, Case.DATA_VA, Case.DATA_SIZE);
    copy(R15, Case.CODE, Case.CODE_VA, Case.CODE_ROOM);
    emit("FXRSTOR M", 8, mem(R15, Case.FX));
    set(RAX, Case.CODE_VA);
    store(shared(TARGET), RAX);
    emit("PUSH Ev", 8, mem(R15, Case.RFLAGS));
    emit("POPF", 8);
    for (int n = 0; n < 16; n++) {
      load(n, mem(R15, Case.REGISTERS + 8 * n));
    }
    emit("JMP Ev", 8, shared(TARGET));
  }

  /** rdx is the ucontext. Direction and alignment flags may be set. */
  private void handler() {
    emit("MOV Ev,Gv", 8, Operand.gpr(R9), Operand.gpr(RDX));
    emit("PUSH Ibs", 8, Operand.imm(2));
    emit("POPF", 8);
    load(R15, shared(CURRENT));
    copy(R9, SIGCONTEXT, R15, Case.CONTEXT, Case.CONTEXT_SIZE);
    load(R10, mem(R9, SIGCONTEXT_FPSTATE));
    copy(R10, 0, R15, Case.FX_AFTER, Case.FX_SIZE);
    set(R10, Case.DATA_VA);
    copy(R10, 0, R15, Case.DATA_AFTER, Case.DATA_SIZE);
    emit("ADD Ev,Iz", 8, shared(CURRENT), Operand.imm(Case.SIZE));
    emit("ADD Ev,Ibs", 8, shared(LEFT), Operand.imm(-1));
    toFirstCase = jumpForward("JMP Jz", -1);
  }

  // ---- A few words to write it with ----

  private void map(long va, long size, int protection, int flags) {
    set(RDI, va);
    set(RSI, size);
    set(RDX, protection);
    set(R10, flags);
    set(R9, 0);
    call(SYS_MMAP);
  }

  private void transfer(int call) {
    set(RSI, SHARED_VA + BYTE);
    set(RDX, 1);
    call(call);
  }

  private void call(int number) {
    set(RAX, number);
    emit("SYSCALL", 8);
  }

  private void copy(int from, int fromOffset, long to, int length) {
    emit("LEA Gv,M", 8, Operand.gpr(RSI), mem(from, fromOffset));
    set(RDI, to);
    set(RCX, length);
    emit("MOVS Yb,Xb", 1, Instruction.REP);
  }

  private void copy(int from, int fromOffset, int to, int toOffset, int length) {
    emit("LEA Gv,M", 8, Operand.gpr(RSI), mem(from, fromOffset));
    emit("LEA Gv,M", 8, Operand.gpr(RDI), mem(to, toOffset));
    set(RCX, length);
    emit("MOVS Yb,Xb", 1, Instruction.REP);
  }

  private void set(int register, long value) {
    emit("MOV Ev,Iz", 8, Operand.gpr(register), Operand.imm(value));
  }

  private void load(int register, Operand from) {
    emit("MOV Gv,Ev", 8, Operand.gpr(register), from);
  }

  private void store(Operand to, int register) {
    emit("MOV Ev,Gv", 8, to, Operand.gpr(register));
  }

  private static Operand mem(int base, long displacement) {
    return Operand.mem(base, displacement);
  }

  private static Operand shared(int offset) {
    return Operand.mem(NO_REGISTER, SHARED_VA + offset);
  }

  /** A jump to be patched; condition 0 to 15 or -1. Its displacement is its last four bytes. */
  private int jumpForward(String row, int condition) {
    emit(row, 8, 0, condition, Operand.relative(0x1000));
    return code.size();
  }

  private void land(int jump) {
    patch(jump, code.size());
  }

  private void patch(int jump, int target) {
    byte[] bytes = code.toByteArray();
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putInt(jump - 4, target - jump);
    code.reset();
    code.writeBytes(bytes);
  }

  private void jumpBack(int target) {
    patch(jumpForward("JMP Jz", -1), target);
  }

  private void emit(String row, int size, Operand... operands) {
    emit(row, size, 0, -1, operands);
  }

  private void emit(String row, int size, int prefixes, Operand... operands) {
    emit(row, size, prefixes, -1, operands);
  }

  private void emit(String row, int size, int prefixes, int condition, Operand... operands) {
    Encoding encoding = ROWS.get(row);
    if (encoding == null) {
      throw new IllegalStateException("no row " + row);
    }
    var encoder = new org.xenolith.isa.Encoder(encoding).mode(org.xenolith.isa.CpuMode.LONG64).operandSize(size == 1 ? 4 : size);
    if (prefixes != 0) {
      encoder.prefixes(prefixes);
    }
    if (condition >= 0) {
      encoder.condition(condition);
    }
    Operand[] all = operands;
    if (operands.length < encoding.operands.size()) {
      all = new Operand[encoding.operands.size()];
      System.arraycopy(operands, 0, all, 0, operands.length);
    }
    code.writeBytes(encoder.encode(all));
  }
}

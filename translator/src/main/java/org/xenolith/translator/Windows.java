package org.xenolith.translator;

import java.util.Arrays;
import java.util.List;
import org.xenolith.cpu.Cpu;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.Mnemonic;
import org.xenolith.isa.OperandKind;

/**
 * Which accesses of a trace are near each other, since they go by the same value and what is added to it are numbers: several pushes, the
 * fields of a structure. The first of them looks for all bytes that they reach, its window, in one entry of the TLB; the others
 * find the window's host address in the state. Windows on the stack look in {@link State#STACK_PAGE} first, which is as a rule the page
 * of the last trace, too; there reads and writes go together.
 *
 * <p>That is good as long as the entry is. Machine code that is left goes on behind only if no entry was lost.
 */
final class Windows {
  /** So many windows a trace has at most. A window is so long at most, since one that crosses into another page is of no use. */
  static final int MOST = (State.TLB - State.WINDOWS) / 8, MOST_BYTES = 192;

  /** Distances of so many bytes are not followed. */
  private static final int FAR = 1 << 20;

  private final List<Step> steps;

  /** By access, of which a step has two, its operand and that on the stack: its window, or -1; and where it is in it, in bytes. */
  private final int[] windows, offsets;

  /** By access: its register, and how far that is from the value that its window counts from. */
  private final int[] registers, moved;

  /** By access: whether it is a write. */
  private final boolean[] writes;

  /** By window: its first and last access, how many there are, where it begins and ends, the TLB's table, its place if it is used. */
  private int[] first = new int[8], last = new int[8], members = new int[8], low = new int[8], high = new int[8], table = new int[8];

  private int[] place = new int[8];

  /** By window: whether it is on the stack; then, whether there are reads and writes. */
  private boolean[] stack = new boolean[8], anyReads = new boolean[8], anyWrites = new boolean[8];

  private int count;

  /** By register: the number of the value that it is at a known distance from, and that distance. */
  private final int[] origin = new int[16], distance = new int[16];

  private int origins;

  /** By number of a value, twice: the windows that reads and writes from it are gathered in, or -1. */
  private int[] open = new int[64];

  Windows(List<Step> steps) {
    this.steps = steps;
    windows = new int[2 * steps.size()];
    offsets = new int[windows.length];
    registers = new int[windows.length];
    moved = new int[windows.length];
    writes = new boolean[windows.length];
    Arrays.fill(windows, -1);
    for (int register = 0; register < 16; register++) {
      forget(register);
    }
    for (int n = 0; n < steps.size(); n++) {
      Step step = steps.get(n);
      accesses(step, n);
      move(step.instruction, step.rule);
    }
    int used = 0;
    for (int w = 0; w < count; w++) {
      place[w] = !stack[w] && members[w] > 1 && used < MOST ? State.WINDOWS + 8 * used++ : 0;
    }
  }

  private void accesses(Step step, int n) {
    Instruction i = step.instruction;
    if (takesOperand(step) && i.base != Instruction.NO_REGISTER && i.index == Instruction.NO_REGISTER && i.segment < Instruction.FS
        && Math.abs(i.ea) < FAR) {
      boolean writes = step.rule.action != Action.PUSH && step.rule.rm == 0 && step.rule.writes0;
      access(2 * n, i.base, (int) i.ea, size(i), writes);
    }
    switch (step.rule.action) {
      case PUSH, PUSHF, CALL, CALL_INDIRECT -> access(2 * n + 1, Cpu.RSP, -8, 8, true);
      case POP, RET -> access(2 * n + 1, Cpu.RSP, 0, 8, false);
      case LEAVE -> access(2 * n + 1, Cpu.RBP, 0, 8, false);
      default -> {}
    }
  }

  /** Whether a step goes through {@link TraceTranslator#operandAddress} for an operand whose bytes {@link #size} tells. */
  static boolean takesOperand(Step step) {
    if (!step.instruction.hasMemory()) {
      return false;
    }
    return switch (step.rule.action) {
      case REENCODE -> step.rule.effect == FlagEffect.NONE || step.rule.effect == FlagEffect.ARITHMETIC
          || step.rule.effect == FlagEffect.LOGIC || step.rule.effect == FlagEffect.STEP;
      case PUSH -> true;
      default -> false;
    };
  }

  static int size(Instruction i) {
    return i.memoryWidth != 0 ? i.memoryWidth : i.width;
  }

  private void access(int access, int register, int displacement, int size, boolean write) {
    int from = distance[register] + displacement;
    int to = from + size;
    boolean onStack = origin[register] == origin[Cpu.RSP];
    int gathered = 2 * origin[register] + (write && !onStack ? 1 : 0);
    int w = open[gathered];
    if (w < 0 || stack[w] != onStack || Math.max(to, high[w]) - Math.min(from, low[w]) > MOST_BYTES) {
      w = open(access, from, to, write ? TraceTranslator.WRITE : TraceTranslator.READ);
      stack[w] = onStack;
      open[gathered] = w;
    }
    anyReads[w] |= !write;
    anyWrites[w] |= write;
    writes[access] = write;
    low[w] = Math.min(low[w], from);
    high[w] = Math.max(high[w], to);
    members[w]++;
    last[w] = access;
    windows[access] = w;
    offsets[access] = from;
    registers[access] = register;
    moved[access] = distance[register];
  }

  private int open(int access, int from, int to, int inTable) {
    if (count == first.length) {
      first = Arrays.copyOf(first, 2 * count);
      last = Arrays.copyOf(last, 2 * count);
      members = Arrays.copyOf(members, 2 * count);
      low = Arrays.copyOf(low, 2 * count);
      high = Arrays.copyOf(high, 2 * count);
      table = Arrays.copyOf(table, 2 * count);
      place = Arrays.copyOf(place, 2 * count);
      stack = Arrays.copyOf(stack, 2 * count);
      anyReads = Arrays.copyOf(anyReads, 2 * count);
      anyWrites = Arrays.copyOf(anyWrites, 2 * count);
    }
    first[count] = access;
    low[count] = from;
    high[count] = to;
    table[count] = inTable;
    return count++;
  }

  /** Follows the registers behind an instruction. */
  private void move(Instruction i, Rule rule) {
    switch (rule.action) {
      case PUSH, PUSHF, CALL, CALL_INDIRECT -> distance[Cpu.RSP] -= 8;
      case POP -> {
        distance[Cpu.RSP] += 8;
        forget(i.reg0);
      }
      case LEAVE -> {
        follow(Cpu.RSP, Cpu.RBP, 8);
        forget(Cpu.RBP);
      }
      case NOTHING, JCC, JMP, JMP_INDIRECT, RET -> {}
      case LEA -> {
        if (i.width == 8 && i.base != Instruction.NO_REGISTER && i.index == Instruction.NO_REGISTER) {
          follow(i.reg0, i.base, i.ea);
        } else {
          forget(i.reg0);
        }
      }
      default -> {
        if (rule.action != Action.REENCODE || i.width != 8 || i.kind0 != OperandKind.GPR || !moveByNumber(i)) {
          for (int left = Registers.written(i, rule); left != 0; left &= left - 1) {
            forget(Integer.numberOfTrailingZeros(left));
          }
        }
      }
    }
  }

  private boolean moveByNumber(Instruction i) {
    switch (i.mnemonic) {
      case INC -> follow(i.reg0, i.reg0, 1);
      case DEC -> follow(i.reg0, i.reg0, -1);
      case MOV, ADD, SUB -> {
        if (i.mnemonic == Mnemonic.MOV && i.kind1 == OperandKind.GPR) {
          follow(i.reg0, i.reg1, 0);
        } else if (i.mnemonic != Mnemonic.MOV && i.kind1 == OperandKind.IMM) {
          follow(i.reg0, i.reg0, i.mnemonic == Mnemonic.ADD ? i.imm : -i.imm);
        } else {
          return false;
        }
      }
      default -> {
        return false;
      }
    }
    return true;
  }

  /** A register is so far from another now. */
  private void follow(int register, int from, long by) {
    if (Math.abs(by) >= FAR || Math.abs(distance[from]) >= FAR) {
      forget(register);
      return;
    }
    origin[register] = origin[from];
    distance[register] = distance[from] + (int) by;
  }

  /** A register has a value that is in no relation to another. */
  private void forget(int register) {
    if (2 * origins == open.length) {
      open = Arrays.copyOf(open, 2 * open.length);
    }
    open[2 * origins] = -1;
    open[2 * origins + 1] = -1;
    origin[register] = origins++;
    distance[register] = 0;
  }

  // ---- What was found ----

  /** The access of a step: its operand, or that on the stack. */
  static int access(int index, boolean stack) {
    return 2 * index + (stack ? 1 : 0);
  }

  /** The place in the state of an access's window, or 0 if it has none there. */
  int place(int access) {
    return windows[access] < 0 ? 0 : place[windows[access]];
  }

  /** The number of an access's window if that is on the stack, else -1. */
  int onStack(int access) {
    return windows[access] >= 0 && stack[windows[access]] ? windows[access] : -1;
  }

  /** For a window on the stack: whether there are both reads and writes in it. */
  boolean readsAndWrites(int window) {
    return anyReads[window] && anyWrites[window];
  }

  /** Whether a window is that of one access alone. */
  boolean isSingle(int window) {
    return members[window] == 1;
  }

  /** Whether an access is a write. */
  boolean writes(int access) {
    return writes[access];
  }

  /** Whether an access is the first in its window. */
  boolean isFirst(int access) {
    return first[windows[access]] == access;
  }

  /** The register that an access goes by. */
  int register(int access) {
    return registers[access];
  }

  /** Where an access is in its window, in bytes. */
  int offset(int access) {
    return offsets[access] - low[windows[access]];
  }

  /** Where an access is, from what its register holds there. */
  int displacement(int access) {
    return offsets[access] - moved[access];
  }

  /** Where its window begins, from what its register holds there. */
  int begin(int access) {
    return low[windows[access]] - moved[access];
  }

  int bytes(int access) {
    return high[windows[access]] - low[windows[access]];
  }

  int table(int access) {
    return table[windows[access]];
  }

  /** Whether a window that was looked for before a step is of use in it or behind it. */
  boolean openAt(int index) {
    for (int w = 0; w < count; w++) {
      if ((place[w] != 0 || stack[w]) && first[w] < 2 * index + 1 && last[w] >= 2 * index) {
        return true;
      }
    }
    return false;
  }
}

package org.xenolith.isa;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Reads one row of {@code instructions.txt}, whose head tells the notation. A mistake there is an {@link IllegalStateException}. */
final class EncodingParser {
  Mnemonic mnemonic;
  int map;
  int opcode = -1;
  int prefix = Encoding.PREFIX_ANY;
  boolean modrm;
  int extension = -1;
  int fixedModrm = -1;
  boolean registerOnly;
  boolean opcodeRegister;
  boolean condition;
  int w = -1;
  int l = -1;
  boolean notRexB;
  List<OperandSpec> operands = new ArrayList<>(4);
  Width width;
  Feature feature;
  int flagsRead;
  int flagsWritten;
  int flagsCleared;
  int flagsSet;
  int flagsUndefined;
  int attributes;

  /** Operands, flags and attributes repeat from row to row: each distinct text is read once. No lambdas: they cost at start-up. */
  static final class Seen {
    private final Map<String, OperandSpec> operands = new HashMap<>();
    private final Map<String, OperandSpec> secondImmediates = new HashMap<>();
    private final Map<String, int[]> flags = new HashMap<>();
  }

  private final String line;
  private final Seen seen;
  private int escape; // 1 after 0F, 2 after 0F 38, 3 after 0F 3A

  EncodingParser(String line, Seen seen) {
    this.line = line;
    this.seen = seen;
    int bar1 = bar(0);
    int bar2 = bar(bar1 + 1);
    int bar3 = bar(bar2 + 1);
    int bar4 = bar(bar3 + 1);
    instruction(line.substring(0, bar1).strip());
    opcode(line.substring(bar1 + 1, bar2).strip());
    feature = Feature.valueOf(line.substring(bar2 + 1, bar3).strip());
    flags(line.substring(bar3 + 1, bar4).strip());
    width = operands.isEmpty() ? Width.NONE : operands.get(0).width;
    for (String attribute : split(line.substring(bar4 + 1), ' ')) {
      attribute(attribute);
    }
    derive();
  }

  private int bar(int from) {
    int at = line.indexOf('|', from);
    if (at < 0) {
      throw new IllegalStateException("five columns expected: " + line);
    }
    return at;
  }

  private void instruction(String column) {
    int space = column.indexOf(' ');
    mnemonic = Mnemonic.valueOf(space < 0 ? column : column.substring(0, space));
    if (space < 0) {
      return;
    }
    boolean immediate = false;
    for (String text : split(column.substring(space + 1), ',')) {
      Map<String, OperandSpec> known = immediate ? seen.secondImmediates : seen.operands;
      OperandSpec spec = known.get(text);
      if (spec == null) {
        spec = OperandSpec.parse(text, immediate);
        known.put(text, spec);
      }
      immediate |= spec.slot == OperandSpec.Slot.IMMEDIATE;
      operands.add(spec);
    }
  }

  private void opcode(String column) {
    for (String token : split(column, ' ')) {
      switch (token) {
        case "NP" -> prefix = Encoding.PREFIX_NONE;
        case "NFx" -> prefix = Encoding.PREFIX_NOT_REP;
        case "/r" -> modrm = true;
        case "W0" -> w = 0;
        case "W1" -> w = 1;
        case "L0" -> l = 0;
        case "L1" -> l = 1;
        case "!REX.B" -> notRexB = true;
        case "VEX" -> map = Encoding.MAP_VEX;
        case "EVEX" -> map = Encoding.MAP_EVEX;
        default -> opcodeByte(token);
      }
    }
    if (opcode < 0) {
      throw new IllegalStateException("no opcode: " + line);
    }
    map += escape;
  }

  private void opcodeByte(String token) {
    if (token.charAt(0) == '/') {
      modrm = true;
      extension = token.charAt(1) - '0';
      return;
    }
    int value = Integer.parseInt(token, 0, 2, 16);
    String suffix = token.substring(2);
    if (opcode >= 0) { // a further byte is a ModRM byte
      modrm = true;
      if (suffix.equals("+i")) {
        extension = value >> 3 & 7;
        registerOnly = true;
      } else {
        fixedModrm = value;
      }
    } else if (prefix == Encoding.PREFIX_ANY && escape == 0 && (value == 0x66 || value == 0xf2 || value == 0xf3)) {
      prefix = value == 0x66 ? Encoding.PREFIX_66 : value == 0xf3 ? Encoding.PREFIX_F3 : Encoding.PREFIX_F2;
    } else if (value == 0x0f && escape == 0) {
      escape = 1;
    } else if (escape == 1 && (value == 0x38 || value == 0x3a)) {
      escape = value == 0x38 ? 2 : 3;
    } else {
      opcode = value;
      opcodeRegister = suffix.equals("+r");
      condition = suffix.equals("+cc");
    }
  }

  private void flags(String column) {
    if (column.isEmpty()) {
      return;
    }
    int[] masks = seen.flags.get(column);
    if (masks == null) {
      masks = flagMasks(column);
      seen.flags.put(column, masks);
    }
    flagsRead = masks[0];
    flagsWritten = masks[1];
    flagsUndefined = masks[2];
    flagsCleared = masks[3];
    flagsSet = masks[4];
  }

  private int[] flagMasks(String column) {
    int[] masks = new int[5];
    for (String token : split(column, ' ')) {
      int kind = "rwu01".indexOf(token.charAt(0));
      if (kind < 0 || token.charAt(1) != ':') {
        throw new IllegalStateException("unknown effect on flags " + token + ": " + line);
      }
      for (int i = 2; i < token.length(); i++) {
        masks[kind] |= flag(token.charAt(i));
      }
    }
    return masks;
  }

  private int flag(char letter) {
    return switch (letter) {
      case 'C' -> Encoding.CF;
      case 'P' -> Encoding.PF;
      case 'A' -> Encoding.AF;
      case 'Z' -> Encoding.ZF;
      case 'S' -> Encoding.SF;
      case 'I' -> Encoding.IF;
      case 'D' -> Encoding.DF;
      case 'O' -> Encoding.OF;
      case '*' -> Encoding.ALL_FLAGS;
      default -> throw new IllegalStateException("unknown flag " + letter + ": " + line);
    };
  }

  private void attribute(String token) {
    if (token.startsWith("w=")) {
      width = OperandSpec.width(token.substring(2));
      return;
    }
    attributes |=
        switch (token) {
          case "lock" -> Encoding.LOCKABLE;
          case "d64" -> Encoding.DEFAULT64;
          case "i64" -> Encoding.NOT_64;
          case "o64" -> Encoding.ONLY_64;
          case "priv" -> Encoding.PRIVILEGED;
          case "branch" -> Encoding.BRANCH;
          case "rep" -> Encoding.REPEATABLE;
          case "repz" -> Encoding.REPEATABLE | Encoding.REPEATABLE_WHILE;
          case "count" -> Encoding.COUNT;
          case "bits" -> Encoding.BIT_STRING;
          case "aligned" -> Encoding.ALIGNED;
          case "alias" -> Encoding.ALIAS;
          case "anymod" -> Encoding.ANY_MOD;
          case "x87" -> Encoding.X87_STATE;
          case "mmx" -> Encoding.MMX_STATE;
          case "sse" -> Encoding.SSE_STATE;
          case "unaligned" -> UNALIGNED;
          default -> throw new IllegalStateException("unknown attribute " + token + ": " + line);
        };
  }

  /** Says only that the default for SSE operands of 16 bytes does not hold; not seen outside. */
  private static final int UNALIGNED = 1 << 30;

  /** What follows from the operands. */
  private void derive() {
    boolean opcodeMemory16 = false;
    for (OperandSpec spec : operands) {
      modrm |= spec.slot == OperandSpec.Slot.RM || spec.slot == OperandSpec.Slot.REG;
      if (spec.kind == OperandKind.XMM) {
        attributes |= Encoding.SSE_STATE;
      } else if (spec.kind == OperandKind.MMX) {
        attributes |= Encoding.MMX_STATE;
      }
      opcodeMemory16 |= spec.memory && spec.memoryWidth.isFixed() && spec.memoryWidth.bytes(0, CpuMode.LONG64) == 16;
    }
    if (feature == Feature.X87) {
      attributes |= Encoding.X87_STATE;
    }
    if (opcodeMemory16 && (attributes & (Encoding.SSE_STATE | UNALIGNED)) == Encoding.SSE_STATE) {
      attributes |= Encoding.ALIGNED;
    }
    attributes &= ~UNALIGNED;
  }

  /** The pieces of a text that are not empty. */
  static List<String> split(String text, char separator) {
    List<String> pieces = new ArrayList<>(4);
    int start = 0;
    while (start < text.length()) {
      int end = text.indexOf(separator, start);
      if (end < 0) {
        end = text.length();
      }
      if (end > start) {
        pieces.add(text.substring(start, end));
      }
      start = end + 1;
    }
    return pieces;
  }
}

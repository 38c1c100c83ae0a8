package org.xenolith.isa;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The rows of {@code instructions.txt}, and the flat index that finds a row from what has been read of an instruction.
 *
 * <p>Each opcode of each map has a block of cells. What decides within the block (mandatory prefix, W, L, REX.B, mod being 3, reg, r/m) are
 * axes with a stride each; an axis that no row of the opcode looks at has stride 0, so most blocks are a single cell.
 */
final class InstructionTable {
  /** Axes, in the order of strides in {@link #strides}. */
  static final int PREFIX = 0, W = 1, L = 2, REX_B = 3, MOD3 = 4, REG = 5, RM = 6, AXES = 7;

  private static final int[] AXIS_SIZE = {4, 2, 2, 2, 2, 8, 8};

  /** The rows without VEX and EVEX, which come first in the file. */
  static final List<Encoding> SCALAR_ROWS = read(0);

  /** Every row. Apart, since half of the file is needed by few, and reading it costs them start-up time. */
  static final class All {
    static final List<Encoding> ROWS = all();

    private All() {}

    private static List<Encoding> all() {
      List<Encoding> rows = new ArrayList<>(SCALAR_ROWS);
      rows.addAll(read(rows.size()));
      return List.copyOf(rows);
    }
  }

  private static final class Long64 {
    static final InstructionTable TABLE = new InstructionTable(SCALAR_ROWS, true);
  }

  private static final class Legacy {
    static final InstructionTable TABLE = new InstructionTable(SCALAR_ROWS, false);
  }

  private static final class VectorLong64 {
    static final InstructionTable TABLE = new InstructionTable(All.ROWS, true);
  }

  private static final class VectorLegacy {
    static final InstructionTable TABLE = new InstructionTable(All.ROWS, false);
  }

  /** The table for a mode; with VEX and EVEX rows if {@code vector}. Each is made when first needed. */
  static InstructionTable of(boolean longMode, boolean vector) {
    if (vector) {
      return longMode ? VectorLong64.TABLE : VectorLegacy.TABLE;
    }
    return longMode ? Long64.TABLE : Legacy.TABLE;
  }

  /** For map * 256 + opcode: the first cell of its block. */
  final int[] firstCell = new int[Encoding.MAPS * 256];

  /** For (map * 256 + opcode) * 8 + axis: what one step along the axis adds. */
  final short[] strides = new short[Encoding.MAPS * 256 * 8];

  /** For map * 256 + opcode: whether its rows have a ModRM byte. */
  final boolean[] modrm = new boolean[Encoding.MAPS * 256];

  /** The row in each cell; null for none. */
  final Encoding[] cells;

  private InstructionTable(List<Encoding> rows, boolean longMode) {
    List<List<Encoding>> byOpcode = new ArrayList<>(Encoding.MAPS * 256);
    for (int i = 0; i < Encoding.MAPS * 256; i++) {
      byOpcode.add(null);
    }
    int unwanted = longMode ? Encoding.NOT_64 : Encoding.ONLY_64;
    for (Encoding row : rows) {
      if (row.has(unwanted)) {
        continue;
      }
      int count = row.opcodeRegister ? 8 : row.condition ? 16 : 1;
      for (int i = 0; i < count; i++) {
        int place = row.map << 8 | row.opcode + i;
        if (byOpcode.get(place) == null) {
          byOpcode.set(place, new ArrayList<>(4));
        }
        byOpcode.get(place).add(row);
      }
    }
    Encoding[] all = new Encoding[1 << 14];
    int used = 1; // cell 0 stays empty: opcodes without rows point there
    for (int place = 0; place < byOpcode.size(); place++) {
      List<Encoding> atPlace = byOpcode.get(place);
      if (atPlace == null) {
        continue;
      }
      int size = layOut(place, atPlace);
      if (used + size > all.length) {
        all = Arrays.copyOf(all, all.length * 2);
      }
      firstCell[place] = used;
      fill(all, place, atPlace);
      used += size;
    }
    cells = Arrays.copyOf(all, used);
  }

  /** Sets the opcode's strides; the size of its block. */
  private int layOut(int place, List<Encoding> rows) {
    int axes = 0;
    for (Encoding row : rows) {
      axes |= axes(row);
      modrm[place] |= row.modrm;
      if (row.modrm != rows.get(0).modrm) {
        throw new IllegalStateException("with and without ModRM in one opcode: " + row);
      }
    }
    int size = 1;
    for (int axis = AXES - 1; axis >= 0; axis--) {
      if ((axes >> axis & 1) != 0) {
        strides[place * 8 + axis] = (short) size;
        size *= AXIS_SIZE[axis];
      }
    }
    return size;
  }

  private void fill(Encoding[] all, int place, List<Encoding> rows) {
    int first = firstCell[place];
    int at = place * 8;
    int[] n = new int[AXES];
    for (int axis = 0; axis < AXES; axis++) {
      n[axis] = strides[at + axis] == 0 ? 1 : AXIS_SIZE[axis];
    }
    for (int prefix = 0; prefix < n[PREFIX]; prefix++) {
      for (int w = 0; w < n[W]; w++) {
        for (int l = 0; l < n[L]; l++) {
          for (int b = 0; b < n[REX_B]; b++) {
            for (int mod3 = 0; mod3 < n[MOD3]; mod3++) {
              for (int reg = 0; reg < n[REG]; reg++) {
                for (int rm = 0; rm < n[RM]; rm++) {
                  int cell =
                      first + prefix * strides[at] + w * strides[at + W] + l * strides[at + L] + b * strides[at + REX_B]
                          + mod3 * strides[at + MOD3] + reg * strides[at + REG] + rm * strides[at + RM];
                  all[cell] = best(rows, prefix, w, l, b != 0, mod3 != 0, reg, rm);
                }
              }
            }
          }
        }
      }
    }
  }

  /** The row that says most about what decides, among those that fit. */
  private static Encoding best(List<Encoding> rows, int prefix, int w, int l, boolean b, boolean mod3, int reg, int rm) {
    Encoding best = null;
    for (Encoding row : rows) {
      if (!fits(row, prefix, w, l, b, mod3, reg, rm)) {
        continue;
      }
      if (best != null && specificity(row) == specificity(best)) {
        throw new IllegalStateException("two rows for one encoding: " + best + " and " + row);
      }
      if (best == null || specificity(row) > specificity(best)) {
        best = row;
      }
    }
    return best;
  }

  private static boolean fits(Encoding row, int prefix, int w, int l, boolean b, boolean mod3, int reg, int rm) {
    boolean prefixFits =
        switch (row.prefix) {
          case Encoding.PREFIX_ANY -> true;
          case Encoding.PREFIX_NOT_REP -> prefix < Encoding.PREFIX_F3;
          default -> row.prefix == prefix;
        };
    return prefixFits
        && (row.w < 0 || row.w == w)
        && (row.l < 0 || row.l == l)
        && !(row.notRexB && b)
        && (row.fixedModrm < 0 || mod3 && row.fixedModrm == (0xc0 | reg << 3 | rm))
        && (row.extension < 0 || row.extension == reg)
        && (!row.modrm || row.has(Encoding.ANY_MOD) || (mod3 ? row.allowsRegister() : row.allowsMemory()));
  }

  private static int specificity(Encoding row) {
    int prefix = row.prefix == Encoding.PREFIX_ANY ? 0 : row.prefix == Encoding.PREFIX_NOT_REP ? 1 : 2;
    return prefix + (row.fixedModrm >= 0 ? 8 : 0) + (row.extension >= 0 ? 4 : 0) + (row.notRexB ? 1 : 0);
  }

  private static int axes(Encoding row) {
    int axes = 0;
    if (row.prefix != Encoding.PREFIX_ANY) {
      axes |= 1 << PREFIX;
    }
    if (row.w >= 0) {
      axes |= 1 << W;
    }
    if (row.l >= 0) {
      axes |= 1 << L;
    }
    if (row.notRexB) {
      axes |= 1 << REX_B;
    }
    if (row.modrm && !row.has(Encoding.ANY_MOD) && !(row.allowsMemory() && row.allowsRegister())) {
      axes |= 1 << MOD3;
    }
    if (row.extension >= 0) {
      axes |= 1 << REG;
    }
    if (row.fixedModrm >= 0) {
      axes |= 1 << MOD3 | 1 << REG | 1 << RM;
    }
    return axes;
  }

  /** Reads the rows up to the first VEX row, or those from there on if there were {@code before} rows. */
  private static List<Encoding> read(int before) {
    List<Encoding> rows = new ArrayList<>(1024);
    EncodingParser.Seen seen = new EncodingParser.Seen();
    try (InputStream in = InstructionTable.class.getResourceAsStream("instructions.txt")) {
      String text = new String(in.readAllBytes(), StandardCharsets.ISO_8859_1);
      int vector = text.lastIndexOf('\n', text.indexOf("| VEX ")) + 1;
      int start = before == 0 ? 0 : vector;
      int stop = before == 0 ? vector : text.length();
      while (start < stop) {
        int end = text.indexOf('\n', start);
        if (end > start && text.charAt(start) != '#') {
          rows.add(new Encoding(new EncodingParser(text.substring(start, end), seen), before + rows.size()));
        }
        start = end + 1;
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return List.copyOf(rows);
  }

  /** Rows that are none: what {@link Mnemonic#INVALID} and {@link Mnemonic#TOO_LONG} instructions point to. */
  static Encoding noRow(Mnemonic mnemonic) {
    return new Encoding(new EncodingParser(mnemonic.name().concat(" | 00 | BASE | | branch"), new EncodingParser.Seen()), -1);
  }
}

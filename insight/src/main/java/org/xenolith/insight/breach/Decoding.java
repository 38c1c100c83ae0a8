package org.xenolith.insight.breach;

import java.util.ArrayList;
import java.util.List;
import org.xenolith.xen.Breach;
import org.xenolith.xen.Hypercalls;
import org.xenolith.xen.mm.FrameTable;
import org.xenolith.xen.mm.Pte;

/** What numbers of the PV interface mean, in words (public headers xen.h, memory.h; asm/mm.h for the type word). */
final class Decoding {
  private static final int MMU_UPDATE = 1, UPDATE_VA_MAPPING = 14, UPDATE_VA_MAPPING_OTHERDOMAIN = 22, MMUEXT_OP = 26;

  private static final String[] UPDATES = {
    "MMU_NORMAL_PT_UPDATE", "MMU_MACHPHYS_UPDATE", "MMU_PT_UPDATE_PRESERVE_AD", "MMU_PT_UPDATE_NO_TRANSLATE"
  };

  private static final String[] EXTENDED = {
    "MMUEXT_PIN_L1_TABLE", "MMUEXT_PIN_L2_TABLE", "MMUEXT_PIN_L3_TABLE", "MMUEXT_PIN_L4_TABLE", "MMUEXT_UNPIN_TABLE", "MMUEXT_NEW_BASEPTR",
    "MMUEXT_TLB_FLUSH_LOCAL", "MMUEXT_INVLPG_LOCAL", "MMUEXT_TLB_FLUSH_MULTI", "MMUEXT_INVLPG_MULTI", "MMUEXT_TLB_FLUSH_ALL",
    "MMUEXT_INVLPG_ALL", "MMUEXT_FLUSH_CACHE", "MMUEXT_SET_LDT", "14", "MMUEXT_NEW_USER_BASEPTR", "MMUEXT_CLEAR_PAGE", "MMUEXT_COPY_PAGE",
    "MMUEXT_FLUSH_CACHE_GLOBAL", "MMUEXT_MARK_SUPER", "MMUEXT_UNMARK_SUPER"
  };

  private static final String[] ERRORS = new String[120];

  static {
    int[] numbers = {1, 2, 3, 4, 5, 6, 7, 9, 11, 12, 13, 14, 16, 17, 18, 19, 22, 28, 33, 34, 38, 95, 105, 98};
    String[] names = {
      "EPERM", "ENOENT", "ESRCH", "EINTR", "EIO", "ENXIO", "E2BIG", "EBADF", "EAGAIN", "ENOMEM", "EACCES", "EFAULT", "EBUSY", "EEXIST",
      "EXDEV", "ENODEV", "EINVAL", "ENOSPC", "EDOM", "ERANGE", "ENOSYS", "EOPNOTSUPP", "ENOBUFS", "EADDRINUSE"
    };
    for (int n = 0; n < numbers.length; n++) {
      ERRORS[numbers[n]] = names[n];
    }
  }

  private Decoding() {}

  /** A result as {@code -22 (-EINVAL)}. */
  static String error(int errno) {
    int n = -errno;
    String name = n > 0 && n < ERRORS.length ? ERRORS[n] : null;
    return name == null ? Integer.toString(errno) : "%d (-%s)".formatted(errno, name);
  }

  /** What the guest asked for, a line each. */
  static List<String> operation(Breach.Operation o) {
    List<String> lines = new ArrayList<>();
    if (o == null) {
      return lines;
    }
    if (o.hypercall() < 0) {
      if (o.va() != 0) {
        lines.add("a store to va 0x%x".formatted(o.va()) + (o.value() == 0 ? "" : ", which would leave 0x%x there".formatted(o.value())));
      }
      return lines;
    }
    String arguments = String.join(", ", o.arguments().stream().map("0x%x"::formatted).toList());
    lines.add("hypercall %d, %s(%s)".formatted(o.hypercall(), Hypercalls.name(o.hypercall()), arguments));
    if (o.batchSize() > 0) {
      lines.add("entry %d of %d of a multicall, at va 0x%x".formatted(o.batchIndex(), o.batchSize(), o.batchVa()));
    }
    if (o.request() >= 0) {
      lines.add("request %d of %d, at va 0x%x: %s".formatted(o.request(), o.requests(), o.requestVa(), request(o)));
    } else if (o.hypercall() == UPDATE_VA_MAPPING || o.hypercall() == UPDATE_VA_MAPPING_OTHERDOMAIN) {
      lines.add("maps va 0x%x by entry 0x%016x, then flushes %s"
          .formatted(o.arguments().get(0), o.arguments().get(1), flush(o.arguments().get(2))));
    }
    return lines;
  }

  private static String flush(long flags) {
    String what = (flags & 3) == 1 ? "the TLB" : (flags & 3) == 2 ? "the address" : "nothing";
    long scope = flags & ~3L;
    String where = scope == 0 ? " on this vcpu" : scope == 4 ? " on all vcpus" : " on some vcpus";
    return (flags & 3) == 0 || (flags & 3) == 3 ? what : what + where;
  }

  private static String request(Breach.Operation o) {
    long first = o.words().get(0);
    if (o.hypercall() == MMU_UPDATE) {
      int command = (int) first & 7;
      String name = command < UPDATES.length ? UPDATES[command] : "type " + command;
      return "%s, pointer 0x%x (mfn 0x%x, slot 0x%x), value 0x%016x"
          .formatted(name, first & ~7L, first >>> 12, (first & 0xfff) >>> 3, o.words().get(1));
    }
    if (o.hypercall() == MMUEXT_OP) {
      int command = (int) first;
      String name = command >= 0 && command < EXTENDED.length ? EXTENDED[command] : "command " + command;
      return "%s, arguments 0x%x and 0x%x".formatted(name, o.words().get(1), o.words().get(2));
    }
    return String.join(" ", o.words().stream().map("0x%x"::formatted).toList());
  }

  /** An entry bit by bit. */
  static String entry(int level, long entry) {
    List<String> flags = new ArrayList<>();
    String[] low = {"P", "RW", "US", "PWT", "PCD", "A", "D", level == 1 ? "PAT" : "PSE", "G", "bit9", "bit10", "bit11"};
    for (int bit = 0; bit < 12; bit++) {
      if ((entry >>> bit & 1) != 0) {
        flags.add(low[bit]);
      }
    }
    for (int bit = 52; bit < 63; bit++) {
      if ((entry >>> bit & 1) != 0) {
        String mark = bit == 52 ? " (Xen's mark of a kernel page)" : bit == 62 && level == 1 ? " (Xen's mark of a grant)" : "";
        flags.add("bit" + bit + mark);
      }
    }
    if (entry < 0) {
      flags.add("NX");
    }
    return "0x%016x: mfn 0x%x, %s".formatted(entry, Pte.mfn(entry), flags.isEmpty() ? "no flags" : String.join(" ", flags));
  }

  /** A slot of a table, with the addresses that go through it. */
  static String slot(Breach.Slot s, Long va) {
    String range = va == null ? "" : ", va 0x%016x to 0x%016x".formatted(va, va + (1L << 3 + 9 * s.level()) - 1);
    return "slot 0x%x of L%d table mfn 0x%x%s".formatted(s.slot(), s.level(), s.tableMfn(), range);
  }

  /** Whether a line of Xen's holds words or flags that {@link #words} explains. */
  static List<String> words(String line) {
    List<String> notes = new ArrayList<>();
    for (String word : line.split("[ ,)(=]+")) {
      if (word.matches("[0-9a-f]{16}") && (line.contains("saw") || line.contains("taf=" + word) || line.contains("type " + word))
          && !line.contains("caf=" + word)) {
        notes.add(word + ": " + typeWord(Long.parseUnsignedLong(word, 16)));
      }
    }
    int flags = line.indexOf(" flags ");
    if (line.startsWith("Bad L") && flags > 0) {
      int packed = Integer.parseUnsignedInt(line.substring(flags + 7).strip(), 16);
      long entry = (packed & 0xfff000L) << 40 | packed & 0xfff;
      notes.add("%x: %s".formatted(packed, flagNames(line.charAt(5) - '0', entry)));
    }
    return notes;
  }

  private static String flagNames(int level, long flags) {
    String whole = entry(level, flags);
    return whole.substring(whole.indexOf(", ") + 2);
  }

  private static String typeWord(long word) {
    int type = (int) (word >>> 61);
    StringBuilder text = new StringBuilder(type >= 1 && type <= 4 ? "an L" + type + " table" : FrameTable.typeName(type));
    text.append((word >>> 60 & 1) != 0 ? ", locked" : "").append((word >>> 59 & 1) != 0 ? ", pinned" : "");
    text.append((word >>> 58 & 1) != 0 ? ", validated" : "").append((word >>> 56 & 1) != 0 ? ", partly validated" : "");
    long count = word & (1L << 55) - 1;
    return text.append(count == 0 ? "" : ", used " + (count == 1 ? "once" : count + " times")).toString();
  }
}

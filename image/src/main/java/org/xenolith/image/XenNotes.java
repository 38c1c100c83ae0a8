package org.xenolith.image;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * What an image tells Xen about itself, typed. Empty means that the image does not say. Sources: Xen {@code public/elfnote.h} for the
 * meaning of each, {@code common/libelf/libelf-dominfo.c} for how they are read: ELF notes of segments, or else those of sections, or else
 * the string of the section {@code __xen_guest}.
 */
public final class XenNotes {
  /** Where the image says it. */
  public enum Source {
    NONE,
    ELF_NOTES,
    XEN_GUEST_SECTION
  }

  /** The page-table formats a 32-bit image can take. */
  public enum Pae {
    NO,
    YES,
    EXTENDED_CR3,
    BIMODAL
  }

  /** A mask and a value that tell a non-present L1 entry which still holds an mfn. */
  public record L1MfnValid(long mask, long value) {}

  /** Limits for moving a PVH image in memory: alignment and addresses in bytes, {@code maximum} the last byte that it may occupy. */
  public record Phys32Reloc(long alignment, long minimum, long maximum) {}

  /** XEN_ELFNOTE_* numbers. */
  public static final int ENTRY = 1;

  public static final int HYPERCALL_PAGE = 2;
  public static final int VIRT_BASE = 3;
  public static final int PADDR_OFFSET = 4;
  public static final int XEN_VERSION = 5;
  public static final int GUEST_OS = 6;
  public static final int GUEST_VERSION = 7;
  public static final int LOADER = 8;
  public static final int PAE_MODE = 9;
  public static final int FEATURES = 10;
  public static final int BSD_SYMTAB = 11;
  public static final int HV_START_LOW = 12;
  public static final int L1_MFN_VALID = 13;
  public static final int SUSPEND_CANCEL = 14;
  public static final int INIT_P2M = 15;
  public static final int MOD_START_PFN = 16;
  public static final int SUPPORTED_FEATURES = 17;
  public static final int PHYS32_ENTRY = 18;
  public static final int PHYS32_RELOC = 19;

  private static final String[] NAMES = {
    "INFO", "ENTRY", "HYPERCALL_PAGE", "VIRT_BASE", "PADDR_OFFSET", "XEN_VERSION", "GUEST_OS", "GUEST_VERSION", "LOADER", "PAE_MODE",
    "FEATURES", "BSD_SYMTAB", "HV_START_LOW", "L1_MFN_VALID", "SUSPEND_CANCEL", "INIT_P2M", "MOD_START_PFN", "SUPPORTED_FEATURES",
    "PHYS32_ENTRY", "PHYS32_RELOC"
  };

  private static final long DEFAULT_ALIGNMENT = 0x20_0000;
  private static final int MAX_GUEST_INFO = 1 << 16;

  private final Elf elf;
  private final Source source;
  private final Map<Integer, Note> byType = new LinkedHashMap<>();
  private final List<Note> raw;
  private final Map<String, String> info = new LinkedHashMap<>();
  private final XenFeatures features = new XenFeatures();

  private XenNotes(Elf elf) {
    this.elf = elf;
    List<Note> all = elf.notes().stream().filter(n -> n.owner().equals("Xen")).toList();
    boolean inSegment = all.stream().anyMatch(Note::fromSegment);
    raw = all.stream().filter(n -> n.fromSegment() == inSegment).toList();
    raw.forEach(n -> byType.put(n.type(), n));
    Optional<Section> guest = elf.section("__xen_guest");
    if (!raw.isEmpty()) {
      source = Source.ELF_NOTES;
      raw.stream().filter(n -> n.type() == FEATURES).forEach(n -> features.add(n.text()));
      raw.stream()
          .filter(n -> n.type() == SUPPORTED_FEATURES && n.data().length >= 4 && n.data().length % 4 == 0)
          .forEach(n -> features.addSupported(Bytes.u32(n.data(), 0)));
    } else if (guest.isPresent()) {
      source = Source.XEN_GUEST_SECTION;
      readGuestInfo(guest.get());
    } else {
      source = Source.NONE;
    }
  }

  static XenNotes of(Elf elf) {
    return new XenNotes(elf);
  }

  /** The name of an XEN_ELFNOTE_* number without its prefix. */
  public static String name(int type) {
    return type >= 0 && type < NAMES.length ? NAMES[type] : "0x%x".formatted(type);
  }

  public Source source() {
    return source;
  }

  /** Xen's ELF notes as they are, in the order of the file, also those of unknown numbers. */
  public List<Note> raw() {
    return raw;
  }

  /** The pairs of the {@code __xen_guest} string as they are; empty if the image has ELF notes. */
  public Map<String, String> guestInfo() {
    return Collections.unmodifiableMap(info);
  }

  /** Virtual address where a PV guest starts. */
  public OptionalLong entry() {
    return number(ENTRY, "VIRT_ENTRY");
  }

  /** Virtual address of the page for Xen's hypercall stubs. Recent kernels have none: they make hypercalls themselves. */
  public OptionalLong hypercallPage() {
    OptionalLong value = number(HYPERCALL_PAGE, "HYPERCALL_PAGE");
    if (source != Source.XEN_GUEST_SECTION || value.isEmpty()) {
      return value;
    }
    // In the string it is a page's number, from the virtual base on.
    return OptionalLong.of((value.getAsLong() << 12) + virtBase().orElse(0));
  }

  /** Virtual address at which pseudo-physical address 0 (after {@link #paddrOffset}) is mapped. */
  public OptionalLong virtBase() {
    return number(VIRT_BASE, "VIRT_BASE");
  }

  /** What is to be subtracted from the ELF file's physical addresses to get pseudo-physical ones. */
  public OptionalLong paddrOffset() {
    return number(PADDR_OFFSET, "ELF_PADDR_OFFSET");
  }

  /** Virtual address where the p2m list shall be mapped. */
  public OptionalLong initP2m() {
    return number(INIT_P2M, null);
  }

  /** Lowest address at which the hypervisor's hole may begin. */
  public OptionalLong hvStartLow() {
    return number(HV_START_LOW, null);
  }

  /** Whether the guest takes an initrd that is not mapped, told by its first pfn. */
  public boolean modStartPfn() {
    return number(MOD_START_PFN, null).orElse(0) != 0;
  }

  /** Whether the guest copes with a suspend that was cancelled. */
  public boolean suspendCancel() {
    return number(SUSPEND_CANCEL, null).orElse(0) != 0;
  }

  /** Physical address where a PVH guest starts, in 32-bit protected mode without paging. */
  public OptionalLong phys32Entry() {
    OptionalLong value = number(PHYS32_ENTRY, null);
    return value.isEmpty() ? value : OptionalLong.of(value.getAsLong() & 0xffff_ffffL);
  }

  /** Present if a PVH loader may move the image; what the note leaves out has its default. */
  public Optional<Phys32Reloc> phys32Reloc() {
    Note note = byType.get(PHYS32_RELOC);
    if (note == null) {
      return Optional.empty();
    }
    byte[] data = note.data();
    long largest = elf.segments().stream().mapToLong(Segment::align).max().orElse(0);
    long alignment = data.length >= 4 ? Bytes.u32(data, 0) : largest >= 0x1000 ? largest : DEFAULT_ALIGNMENT;
    long minimum = data.length >= 8 ? Bytes.u32(data, 4) : 0;
    long maximum = data.length >= 12 ? Bytes.u32(data, 8) : 0xffff_ffffL;
    return Optional.of(new Phys32Reloc(alignment, minimum, maximum));
  }

  public String guestOs() {
    return text(GUEST_OS, "GUEST_OS");
  }

  public String guestVersion() {
    return text(GUEST_VERSION, "GUEST_VER");
  }

  public String xenVersion() {
    return text(XEN_VERSION, "XEN_VER");
  }

  public String loader() {
    return text(LOADER, "LOADER");
  }

  public Pae pae() {
    if (source == Source.XEN_GUEST_SECTION) {
      String value = info.getOrDefault("PAE", "");
      return value.equals("yes[extended-cr3]") ? Pae.EXTENDED_CR3 : value.startsWith("yes") ? Pae.YES : Pae.NO;
    }
    String value = text(PAE_MODE, null);
    return value.contains("bimodal") ? Pae.BIMODAL : value.equals("yes") ? Pae.EXTENDED_CR3 : Pae.NO;
  }

  /** Whether the loader shall load the symbol table behind the image. */
  public boolean bsdSymtab() {
    return source == Source.XEN_GUEST_SECTION ? info.containsKey("BSD_SYMTAB") : text(BSD_SYMTAB, null).equals("yes");
  }

  /** How to tell non-present L1 entries that hold an mfn. */
  public List<L1MfnValid> l1MfnValid() {
    Note note = byType.get(L1_MFN_VALID);
    List<L1MfnValid> pairs = new ArrayList<>();
    if (note != null) {
      for (int i = 0; i + 16 <= note.data().length; i += 16) {
        pairs.add(new L1MfnValid(Bytes.i64(note.data(), i), Bytes.i64(note.data(), i + 8)));
      }
    }
    return List.copyOf(pairs);
  }

  /** The features string as it is, such as {@code "!writable_page_tables|pae_pgdir_above_4gb"}. */
  public String featuresText() {
    return text(FEATURES, "FEATURES");
  }

  /** The features that the image supports or requires, out of the string and the number together. */
  public XenFeatures features() {
    return features;
  }

  private OptionalLong number(int type, String key) {
    if (source == Source.XEN_GUEST_SECTION) {
      String value = key == null ? null : info.get(key);
      return value == null ? OptionalLong.empty() : OptionalLong.of(parse(key, value));
    }
    Note note = byType.get(type);
    return note == null ? OptionalLong.empty() : OptionalLong.of(note.number());
  }

  private String text(int type, String key) {
    if (source == Source.XEN_GUEST_SECTION) {
      return key == null ? "" : info.getOrDefault(key, "");
    }
    Note note = byType.get(type);
    return note == null ? "" : note.text();
  }

  private void readGuestInfo(Section section) {
    int size = (int) Math.min(section.data().byteSize(), MAX_GUEST_INFO);
    String text = new Bytes(section.data()).text("section __xen_guest", 0, size);
    for (String pair : text.split(",")) {
      int equals = pair.indexOf('=');
      String key = equals < 0 ? pair : pair.substring(0, equals);
      if (!key.isEmpty()) {
        info.put(key, equals < 0 ? "" : pair.substring(equals + 1));
      }
    }
    features.add(info.getOrDefault("FEATURES", ""));
  }

  /** A number in C's notation: 0x for hexadecimal, a leading 0 for octal. */
  private static long parse(String key, String value) {
    String text = value.strip();
    try {
      if (text.regionMatches(true, 0, "0x", 0, 2)) {
        return Long.parseUnsignedLong(text.substring(2), 16);
      }
      return text.length() > 1 && text.startsWith("0") ? Long.parseUnsignedLong(text, 8) : Long.parseUnsignedLong(text);
    } catch (NumberFormatException e) {
      throw new ImageException("section __xen_guest: %s=%s is no number".formatted(key, value), "build the guest anew", e);
    }
  }
}

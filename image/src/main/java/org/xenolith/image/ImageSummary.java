package org.xenolith.image;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What a person wants to know of an image, in plain values that print and serialise as they are. Addresses and note values are
 * hexadecimal text, sizes are bytes; a text that the image does not give is empty.
 *
 * @param path the file
 * @param format {@code bzimage} or {@code elf}
 * @param compression such as {@code xz}, or {@code none}
 * @param fileSize size of the file
 * @param payloadSize size of what is compressed in it
 * @param elfSize size of the unpacked ELF file, with what follows it
 * @param machine {@code x86-64} or {@code i386}, with the ELF container where that is of another width
 * @param entry entry point of the ELF header
 * @param release as {@code uname -r} prints it
 * @param banner Linux's line about itself
 * @param buildId GNU build id
 * @param segments the LOAD segments
 * @param sections those of interest to an observer, that are there
 * @param xenNotes Xen's notes by name, or the pairs of the {@code __xen_guest} string
 * @param xenNotesFrom {@code elf_notes}, {@code xen_guest_section} or {@code none}
 * @param pv empty if it boots as a PV guest, else why not
 * @param pvh empty if it boots as a PVH guest, else why not
 * @param symbolSource {@code kallsyms}, {@code symtab} or {@code none}
 * @param symbolCount how many addresses have names
 */
public record ImageSummary(
    String path,
    String format,
    String compression,
    long fileSize,
    long payloadSize,
    long elfSize,
    String machine,
    String entry,
    String release,
    String banner,
    String buildId,
    List<SegmentSummary> segments,
    List<SectionSummary> sections,
    Map<String, String> xenNotes,
    String xenNotesFrom,
    String pv,
    String pvh,
    String symbolSource,
    int symbolCount) {

  /** A LOAD segment. */
  public record SegmentSummary(String va, String pa, long fileSize, long memorySize, String permissions) {}

  /** A section. */
  public record SectionSummary(String name, String va, long size) {}

  /** Type information, unwind tables, and the tables by which Linux patches itself: what an audit reads. */
  private static final List<String> SECTIONS =
      List.of(
          ".notes", "__xen_guest", ".BTF", ".BTF_ids", ".orc_header", ".orc_unwind_ip", ".orc_unwind", ".parainstructions",
          ".altinstructions", ".altinstr_replacement", ".retpoline_sites", ".return_sites", ".call_sites", ".ibt_endbr_seal", ".smp_locks",
          ".data..percpu", ".init.text", ".symtab", ".debug_info");

  static ImageSummary of(KernelImage image) {
    Elf elf = image.elf();
    List<SegmentSummary> segments =
        elf.segments().stream()
            .map(s -> new SegmentSummary(hex(s.va()), hex(s.pa()), s.fileSize(), s.memorySize(), s.permissions()))
            .toList();
    List<SectionSummary> sections =
        SECTIONS.stream()
            .flatMap(name -> elf.section(name).stream())
            .map(s -> new SectionSummary(s.name(), hex(s.va()), s.size()))
            .toList();
    return new ImageSummary(
        image.path(),
        image.format().name().toLowerCase(Locale.ROOT),
        image.compression().label(),
        image.fileSize(),
        image.payloadSize(),
        elf.size(),
        machine(elf),
        hex(elf.entry()),
        image.release().orElse(""),
        image.banner().orElse(""),
        image.buildId().orElse(""),
        segments,
        sections,
        notes(image.xenNotes()),
        image.xenNotes().source().name().toLowerCase(Locale.ROOT),
        pvRefusal(image),
        image.xenNotes().phys32Entry().isPresent() ? "" : "no note PHYS32_ENTRY",
        image.symbols().source().name().toLowerCase(Locale.ROOT),
        image.symbols().size());
  }

  private static String machine(Elf elf) {
    boolean code64 = elf.machine() == Elf.MACHINE_X86_64;
    return (code64 ? "x86-64" : "i386") + (elf.wide() == code64 ? "" : elf.wide() ? " in ELF64" : " in ELF32");
  }

  private static String pvRefusal(KernelImage image) {
    try {
      PvLayout.of(image.elf(), image.xenNotes());
      return "";
    } catch (ImageException e) {
      return e.problem();
    }
  }

  private static Map<String, String> notes(XenNotes notes) {
    Map<String, String> values = new LinkedHashMap<>(notes.guestInfo());
    for (Note note : notes.raw()) {
      values.put(XenNotes.name(note.type()), value(note, notes));
    }
    return values;
  }

  private static String value(Note note, XenNotes notes) {
    return switch (note.type()) {
      case XenNotes.XEN_VERSION,
          XenNotes.GUEST_OS,
          XenNotes.GUEST_VERSION,
          XenNotes.LOADER,
          XenNotes.PAE_MODE,
          XenNotes.FEATURES,
          XenNotes.BSD_SYMTAB ->
          note.text();
      case XenNotes.SUPPORTED_FEATURES -> hex(note.number()) + " " + XenFeatures.names(note.number());
      case XenNotes.L1_MFN_VALID -> {
        List<String> pairs = new ArrayList<>();
        notes.l1MfnValid().forEach(p -> pairs.add("mask %s value %s".formatted(hex(p.mask()), hex(p.value()))));
        yield String.join(", ", pairs);
      }
      case XenNotes.PHYS32_RELOC ->
          notes.phys32Reloc()
              .map(r -> "align %s, %s to %s".formatted(hex(r.alignment()), hex(r.minimum()), hex(r.maximum())))
              .orElse("");
      default -> note.data().length <= 8 ? hex(note.number()) : note.hex();
    };
  }

  private static String hex(long value) {
    return "0x" + Long.toHexString(value);
  }
}

package org.xenolith.app;

import org.xenolith.image.ImageSummary;
import org.xenolith.image.KernelImage;
import org.xenolith.image.PvLayout;

/** What an image holds, as text for a person. */
final class ImageDescription {
  private final StringBuilder text = new StringBuilder();

  private ImageDescription() {}

  static String of(KernelImage image) {
    ImageDescription description = new ImageDescription();
    description.write(image, image.summary());
    return description.text.toString();
  }

  private void write(KernelImage image, ImageSummary summary) {
    line("file", "%s, %,d bytes".formatted(summary.path(), summary.fileSize()));
    line("format", "%s, %s, %s".formatted(format(image), packing(image, summary), image.is32Bit() ? "32-bit" : "64-bit"));
    line("machine", summary.machine());
    line("release", known(summary.release()));
    line("banner", known(summary.banner()));
    line("build id", known(summary.buildId()));
    line("entry", summary.entry());
    line("segments", "virtual address, physical address, bytes in memory, bytes in the file, permissions");
    for (ImageSummary.SegmentSummary segment : summary.segments()) {
      String form = "  %-18s %-10s %,12d %,12d %s\n";
      text.append(form.formatted(segment.va(), segment.pa(), segment.memorySize(), segment.fileSize(), segment.permissions()));
    }
    if (!summary.sections().isEmpty()) {
      line("sections", "those an observer reads: name, virtual address, bytes");
      for (ImageSummary.SectionSummary section : summary.sections()) {
        text.append("  %-22s %-18s %,12d\n".formatted(section.name(), section.va(), section.size()));
      }
    }
    line("xen", switch (image.xenNotes().source()) {
      case NONE -> "the image tells Xen nothing";
      case ELF_NOTES -> "ELF notes";
      case XEN_GUEST_SECTION -> "section __xen_guest";
    });
    summary.xenNotes().forEach((name, value) -> text.append("  %-19s %s\n".formatted(name, value)));
    line("PV guest", summary.pv().isEmpty() ? place(image.pvLayout()) : "no: " + summary.pv());
    line("PVH guest", summary.pvh().isEmpty() ? "entry 0x%x".formatted(image.pvhEntry()) : "no: " + summary.pvh());
    line("symbols", switch (image.symbols().source()) {
      case NONE -> "none";
      case KALLSYMS -> "%,d from kallsyms".formatted(summary.symbolCount());
      case SYMTAB -> "%,d from the symbol table".formatted(summary.symbolCount());
    });
  }

  private static String format(KernelImage image) {
    return image.format() == KernelImage.Format.BZIMAGE ? "bzImage" : "ELF";
  }

  private static String packing(KernelImage image, ImageSummary summary) {
    return switch (image.compression()) {
      case NONE -> "not compressed";
      default -> "compressed with %s, unpacked %,d bytes".formatted(summary.compression(), summary.elfSize());
    };
  }

  private static String place(PvLayout layout) {
    return "at 0x%x to 0x%x, entry 0x%x".formatted(layout.virtStart(), layout.virtEnd(), layout.virtEntry());
  }

  private static String known(String value) {
    return value.isEmpty() ? "none" : value;
  }

  private void line(String name, String value) {
    text.append("%-10s %s\n".formatted(name, value));
  }
}

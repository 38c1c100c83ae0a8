package org.xenolith.app;

import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.xenolith.image.ImageException;
import org.xenolith.image.KernelImage;
import org.xenolith.image.Note;
import org.xenolith.image.PvLayout;
import org.xenolith.image.Segment;
import org.xenolith.image.Symbols;
import org.xenolith.image.XenFeatures;
import org.xenolith.image.XenNotes;

/** What an image holds, as text for a person. */
final class ImageDescription {
  private final StringBuilder text = new StringBuilder();

  private ImageDescription() {}

  static String of(KernelImage image) {
    ImageDescription description = new ImageDescription();
    description.write(image);
    return description.text.toString();
  }

  private void write(KernelImage image) {
    line("file", "%s, %,d bytes".formatted(image.path(), image.fileSize()));
    line("format", "%s, %s, %s".formatted(format(image), packing(image), image.is32Bit() ? "32-bit" : "64-bit"));
    image.release().ifPresent(release -> line("release", release));
    image.banner().ifPresent(banner -> line("banner", banner));
    line("build id", image.buildId().orElse("none"));
    line("entry", "0x%x".formatted(image.elf().entry()));
    segments(image.elf().segments());
    notes(image.xenNotes());
    layout(image);
    symbols(image.symbols());
  }

  private static String format(KernelImage image) {
    return image.format() == KernelImage.Format.BZIMAGE ? "bzImage" : "ELF";
  }

  private static String packing(KernelImage image) {
    String unpacked = "%,d bytes".formatted(image.elf().size());
    return switch (image.compression()) {
      case NONE -> "not compressed";
      default -> "compressed with %s, unpacked %s".formatted(image.compression().label(), unpacked);
    };
  }

  private void segments(List<Segment> segments) {
    line("segments", segments.isEmpty() ? "none" : "virtual address, physical address, bytes in memory, bytes in the file, permissions");
    for (Segment segment : segments) {
      String form = "  0x%016x 0x%08x %,12d %,12d %s\n";
      text.append(form.formatted(segment.va(), segment.pa(), segment.memorySize(), segment.fileSize(), segment.permissions()));
    }
  }

  private void notes(XenNotes notes) {
    line("xen", switch (notes.source()) {
      case NONE -> "the image tells Xen nothing";
      case ELF_NOTES -> "ELF notes";
      case XEN_GUEST_SECTION -> "section __xen_guest";
    });
    for (Note note : notes.raw()) {
      item(XenNotes.name(note.type()), value(note));
    }
    for (Map.Entry<String, String> pair : notes.guestInfo().entrySet()) {
      item(pair.getKey(), pair.getValue());
    }
    if (notes.source() != XenNotes.Source.NONE) {
      item("supports", String.join(", ", XenFeatures.names(notes.features().supported())));
      item("requires", String.join(", ", XenFeatures.names(notes.features().required())));
    }
  }

  private static String value(Note note) {
    return switch (note.type()) {
      case XenNotes.XEN_VERSION, XenNotes.GUEST_OS, XenNotes.GUEST_VERSION, XenNotes.LOADER, XenNotes.PAE_MODE, XenNotes.FEATURES ->
          note.text();
      default -> note.data().length <= Long.BYTES ? "0x%x".formatted(note.number()) : note.hex();
    };
  }

  private void layout(KernelImage image) {
    try {
      PvLayout layout = image.pvLayout();
      line("PV guest", "at 0x%x to 0x%x, entry 0x%x".formatted(layout.virtStart(), layout.virtEnd(), layout.virtEntry()));
    } catch (ImageException e) {
      line("PV guest", "no: " + e.problem());
    }
    OptionalLong entry = image.xenNotes().phys32Entry();
    line("PVH guest", entry.isPresent() ? "entry 0x%x".formatted(entry.getAsLong()) : "no: there is no note PHYS32_ENTRY");
  }

  private void symbols(Symbols symbols) {
    line("symbols", switch (symbols.source()) {
      case NONE -> "none";
      case KALLSYMS -> "%,d from kallsyms".formatted(symbols.size());
      case SYMTAB -> "%,d from the symbol table".formatted(symbols.size());
    });
  }

  private void line(String name, String value) {
    text.append("%-10s %s\n".formatted(name, value));
  }

  private void item(String name, String value) {
    text.append("  %-19s %s\n".formatted(name, value));
  }
}

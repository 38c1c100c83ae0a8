package org.xenolith.image;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Stream;

/**
 * A kernel or guest, unpacked: a bzImage of any payload compression, or an ELF file, plain or compressed as a whole. The unpacked ELF file
 * is held once; segments and sections are views of it.
 */
public final class KernelImage {
  /** What the file is. */
  public enum Format {
    BZIMAGE,
    ELF
  }

  private static final String WANTED = "give a bzImage, a vmlinux or another x86 ELF guest";
  private static final long MAX_FILE = 4L << 30;
  private static final byte[] BANNER = "Linux version ".getBytes(StandardCharsets.ISO_8859_1);
  private static final int MAX_BANNER = 1024;

  private final String path;
  private final Format format;
  private final Compression compression;
  private final long fileSize;
  private final BzImage head;
  private final Elf elf;
  private final XenNotes notes;
  private Symbols symbols;
  private Optional<String> banner;

  private KernelImage(String path, Bytes file) {
    this.path = path;
    fileSize = file.size();
    Compression outer = Compression.of(file, 0);
    Bytes bytes = outer == Compression.NONE ? file : new Bytes(unpack(file, 0, file.size(), outer));
    if (BzImage.begins(bytes)) {
      format = Format.BZIMAGE;
      head = BzImage.parse(bytes);
      compression = Compression.of(bytes, head.payloadOffset());
      elf = Elf.parse(unpack(bytes, head.payloadOffset(), head.payloadSize(), compression));
    } else if (Elf.begins(bytes)) {
      format = Format.ELF;
      head = null;
      compression = outer;
      elf = Elf.parse(bytes.slice("image", 0, bytes.size()));
    } else {
      throw new ImageException("not a kernel: " + guess(bytes), WANTED);
    }
    notes = XenNotes.of(elf);
  }

  /**
   * Reads an image.
   *
   * @throws ImageException if it cannot be read, is no x86 kernel or guest, or is truncated or corrupt
   */
  public static KernelImage read(Path path) {
    try {
      return new KernelImage(path.toString(), new Bytes(open(path)));
    } catch (ImageException e) {
      throw e.in(path);
    }
  }

  /**
   * Reads an image that is in memory already.
   *
   * @param name what to call it in messages
   * @param bytes the image, which is not to change any more
   */
  public static KernelImage read(String name, MemorySegment bytes) {
    try {
      return new KernelImage(name, new Bytes(bytes));
    } catch (ImageException e) {
      throw e.in(name);
    }
  }

  private static MemorySegment open(Path path) {
    if (Files.isDirectory(path)) {
      throw new ImageException("a directory", WANTED);
    }
    if (Files.exists(path) && !Files.isRegularFile(path)) {
      throw new ImageException("not a regular file", WANTED);
    }
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      long size = channel.size();
      if (size == 0) {
        throw new ImageException("empty", WANTED);
      }
      if (size > MAX_FILE) {
        throw new ImageException("not a kernel: %d MiB large".formatted(size >> 20), WANTED);
      }
      return channel.map(FileChannel.MapMode.READ_ONLY, 0, size, Arena.ofAuto());
    } catch (NoSuchFileException e) {
      throw new ImageException("no such file", WANTED, e);
    } catch (AccessDeniedException e) {
      throw new ImageException("permission denied", "make it readable, or take a copy", e);
    } catch (IOException e) {
      throw new ImageException("cannot be read (%s)".formatted(e.getMessage()), WANTED, e);
    }
  }

  private static MemorySegment unpack(Bytes bytes, long offset, long size, Compression compression) {
    if (compression == Compression.NONE) {
      if (bytes.u32("the payload", offset) == 0x464c457fL) {
        return bytes.slice("the payload", offset, size);
      }
      int magic = Integer.reverseBytes((int) bytes.u32("the payload", offset));
      throw new ImageException(
          "unknown compression: the payload at 0x%x begins %08x".formatted(offset, magic),
          "take a kernel compressed with gzip, bzip2, xz, lzma, lzo, lz4 or zstd");
    }
    // gzip ends with the size of its output, and Linux's build appends it to every other kind (scripts/Makefile.lib, size_append).
    boolean sized = compression == Compression.GZIP || offset > 0;
    long expected = sized && size >= 4 ? bytes.u32("the payload's size", offset + size - 4) : 0;
    MemorySegment unpacked = compression.decompress(bytes, offset, size, expected);
    if (offset > 0 && unpacked.byteSize() != expected) {
      throw ImageException.corrupt("the payload at 0x%x is to hold %d bytes and holds %d".formatted(offset, expected, unpacked.byteSize()));
    }
    return unpacked;
  }

  /** What a file that is no kernel may be. */
  private static String guess(Bytes bytes) {
    if (bytes.contains(0x38, 4) && bytes.u32("magic", 0x38) == 0x644d5241L) {
      return "an arm64 image";
    }
    if (bytes.contains(0, 2) && bytes.u16("magic", 0) == 0x5a4d) {
      return isUnified(bytes)
          ? "a unified kernel image, whose section .linux is the kernel"
          : "an EFI or DOS program without a Linux header";
    }
    if (bytes.contains(0, 8) && bytes.text("magic", 0, 7).equals("!<arch>")) {
      return "an archive, perhaps a Debian package";
    }
    if (bytes.contains(0, 6) && bytes.text("magic", 0, 6).matches("07070[12]")) {
      return "a cpio archive, perhaps an initrd";
    }
    return "neither a bzImage nor an ELF file";
  }

  /** Whether a PE file has a section {@code .linux} (UAPI group: Unified Kernel Image). */
  private static boolean isUnified(Bytes bytes) {
    long header = bytes.contains(0x3c, 4) ? bytes.u32("PE header", 0x3c) : 0;
    if (!bytes.contains(header, 24) || bytes.u32("PE header", header) != 0x4550) {
      return false;
    }
    long table = header + 24 + bytes.u16("PE header", header + 20);
    for (int i = 0; i < bytes.u16("PE header", header + 6); i++) {
      long at = table + 40L * i;
      if (bytes.contains(at, 8) && bytes.text("PE section", at, 8).equals(".linux")) {
        return true;
      }
    }
    return false;
  }

  /** The name of the file, as it was given. */
  public String path() {
    return path;
  }

  public Format format() {
    return format;
  }

  /** How the ELF file was packed: a bzImage's payload, or a whole ELF file. */
  public Compression compression() {
    return compression;
  }

  /** Size of the file in bytes. */
  public long fileSize() {
    return fileSize;
  }

  /** Size of a bzImage's payload in bytes, or of the whole file. */
  public long payloadSize() {
    return head == null ? fileSize : head.payloadSize();
  }

  /** The kernel proper. In a bzImage relocations for address-space randomisation may follow it. */
  public Elf elf() {
    return elf;
  }

  /** What the image tells Xen about itself. */
  public XenNotes xenNotes() {
    return notes;
  }

  /** Whether its code is for 32-bit processors. A 64-bit kernel may be in a 32-bit ELF container. */
  public boolean is32Bit() {
    return elf.machine() == Elf.MACHINE_I386 || head != null && !head.runs64();
  }

  /**
   * Refuses what only 32-bit processors run.
   *
   * @throws ImageException if {@link #is32Bit}
   */
  public void require64Bit() {
    if (is32Bit()) {
      throw new ImageException(path + ": a 32-bit kernel: not supported", "take a 64-bit one");
    }
  }

  /**
   * Where the image goes as a PV guest.
   *
   * @throws ImageException if it is no 64-bit PV guest; the message says why
   */
  public PvLayout pvLayout() {
    try {
      return PvLayout.of(elf, notes);
    } catch (ImageException e) {
      throw e.in(path);
    }
  }

  /**
   * Where a PVH guest starts: a physical address, in 32-bit protected mode without paging.
   *
   * @throws ImageException if the image has no PVH entry
   */
  public long pvhEntry() {
    OptionalLong entry = notes.phys32Entry();
    if (entry.isEmpty()) {
      throw new ImageException(
          "%s: not a PVH guest: no note PHYS32_ENTRY".formatted(path), "take a kernel built with CONFIG_PVH=y, or boot it in another mode");
    }
    return entry.getAsLong();
  }

  /** All that {@code xenolith kernel inspect} shows. */
  public ImageSummary summary() {
    return ImageSummary.of(this);
  }

  /**
   * The image's names for its addresses: of its symbol table or else of its kallsyms; none if it has neither. Found when first asked for.
   */
  public synchronized Symbols symbols() {
    if (symbols == null) {
      symbols = ElfSymbols.find(elf).or(() -> Kallsyms.find(elf)).orElseGet(Symbols::none);
    }
    return symbols;
  }

  /** The image's tables for unwinding stacks, if it has them. */
  public Optional<Orc> orc() {
    return Orc.find(elf, release().orElse(""));
  }

  /** The GNU build id in hexadecimal. */
  public Optional<String> buildId() {
    return elf.buildId();
  }

  /** Linux's own line about itself, {@code Linux version ...}. */
  public synchronized Optional<String> banner() {
    if (banner == null) {
      banner = findBanner();
    }
    return banner;
  }

  /** Linux's release as {@code uname -r} prints it. */
  public Optional<String> release() {
    boolean inHead = head != null && !head.version().isEmpty();
    Optional<String> version = inHead ? Optional.of(head.version()) : banner().map(b -> b.substring(BANNER.length));
    return version.map(v -> v.split(" ", 2)[0]);
  }

  private Optional<String> findBanner() {
    Optional<Section> rodata = elf.section(".rodata");
    Stream<MemorySegment> places =
        rodata.isPresent() ? Stream.of(rodata.get().data()) : elf.segments().stream().map(Segment::data);
    return places.map(KernelImage::findBanner).flatMap(Optional::stream).findFirst();
  }

  private static Optional<String> findBanner(MemorySegment place) {
    // Pieces overlap by a banner's length, so that none is cut.
    int step = 1 << 20;
    for (long start = 0; start < place.byteSize(); start += step) {
      byte[] piece = place.asSlice(start, Math.min(step + MAX_BANNER, place.byteSize() - start)).toArray(JAVA_BYTE);
      for (int at = 0; at + BANNER.length < piece.length; at++) {
        // A release begins with a digit: the format string for /proc/version does not.
        if (piece[at] == 'L' && isBanner(piece, at)) {
          return Optional.of(Bytes.text(piece, at, Math.min(piece.length, at + MAX_BANNER)).strip());
        }
      }
    }
    return Optional.empty();
  }

  private static boolean isBanner(byte[] piece, int at) {
    for (int i = 1; i < BANNER.length; i++) {
      if (piece[at + i] != BANNER[i]) {
        return false;
      }
    }
    return Character.isDigit(piece[at + BANNER.length]);
  }
}

package org.xenolith.image;

/**
 * The head of a bzImage. Source: Linux {@code Documentation/arch/x86/boot.rst}.
 *
 * @param protocol version of the boot protocol, such as 0x20f
 * @param runs64 whether the kernel has the 64-bit entry point; from protocol 2.12, before that unknown and true
 * @param version the version string, such as {@code "6.1.0-56-amd64 (builder) #1 SMP ..."}, or empty
 * @param payloadOffset where the compressed payload is in the file
 * @param payloadSize its size in bytes, with the output's size that the build appends
 */
record BzImage(int protocol, boolean runs64, String version, long payloadOffset, long payloadSize) {
  private static final int SETUP_SECTS = 0x1f1;
  private static final int BOOT_FLAG = 0x1fe;
  private static final int HEADER = 0x202;
  private static final int PROTOCOL = 0x206;
  private static final int KERNEL_VERSION = 0x20e;
  private static final int XLOADFLAGS = 0x236;
  private static final int PAYLOAD_OFFSET = 0x248;
  private static final int PAYLOAD_LENGTH = 0x24c;
  private static final long HDRS = 0x53726448L;

  static boolean begins(Bytes bytes) {
    return bytes.contains(0, HEADER + 4) && bytes.u16("boot flag", BOOT_FLAG) == 0xaa55 && bytes.u32("header", HEADER) == HDRS;
  }

  static BzImage parse(Bytes bytes) {
    int protocol = bytes.u16("setup header", PROTOCOL);
    if (protocol < 0x208) {
      throw new ImageException(
          "a bzImage of boot protocol %d.%02d, which does not say where its payload is".formatted(protocol >> 8, protocol & 0xff),
          "take Linux 2.6.24 or later, or the vmlinux that it was made of");
    }
    int sectors = bytes.u8("setup header", SETUP_SECTS);
    long start = (sectors == 0 ? 4 : sectors) * 512L + 512;
    long offset = start + bytes.u32("setup header", PAYLOAD_OFFSET);
    long size = bytes.u32("setup header", PAYLOAD_LENGTH);
    boolean runs64 = protocol < 0x20c || (bytes.u16("setup header", XLOADFLAGS) & 1) != 0;
    int versionAt = bytes.u16("setup header", KERNEL_VERSION);
    String version = versionAt == 0 ? "" : bytes.text("version string", versionAt + 512L, 512);
    bytes.check("the payload", offset, size);
    if (size < 8) {
      throw ImageException.corrupt("a payload of %d bytes at 0x%x".formatted(size, offset));
    }
    return new BzImage(protocol, runs64, version.strip(), offset, size);
  }
}

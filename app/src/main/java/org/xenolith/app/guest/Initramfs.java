package org.xenolith.app.guest;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import org.apache.commons.compress.archivers.cpio.CpioArchiveEntry;
import org.apache.commons.compress.archivers.cpio.CpioArchiveOutputStream;
import org.apache.commons.compress.archivers.cpio.CpioConstants;

/**
 * An initramfs with busybox in it: a cpio archive in the "newc" format (Linux, Documentation/driver-api/early-userspace/buffer-format.rst).
 * The same busybox gives the same bytes: times are 0 and inodes are numbered in order. It is not compressed, since a guest copies faster
 * than it unpacks.
 */
public final class Initramfs {
  private static final String MOUNTS =
      """
      #!/bin/busybox sh
      /bin/busybox mount -t devtmpfs devtmpfs /dev
      /bin/busybox mount -t proc proc /proc
      /bin/busybox mount -t sysfs sysfs /sys
      """;

  private static final String READY =
      MOUNTS
          + """
          echo "GUEST-READY $(/bin/busybox uname -a)"
          /bin/busybox poweroff -f
          """;

  private static final String SHELL =
      MOUNTS
          + """
          /bin/busybox --install -s /bin
          export PATH=/bin HOME=/root TERM=linux
          cd /root
          echo "GUEST-READY $(uname -a)"
          echo "A busybox shell in the guest. 'exit' powers the guest off, Ctrl-] leaves it at once."
          setsid cttyhack sh
          poweroff -f
          """;

  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private final CpioArchiveOutputStream cpio = new CpioArchiveOutputStream(bytes, CpioConstants.FORMAT_NEW);
  private int inodes;

  private Initramfs() {}

  /** One whose init prints {@code GUEST-READY} and what {@code uname -a} says, then powers off. */
  public static byte[] thatReportsReady(byte[] busybox) {
    return with(busybox, READY);
  }

  /** One whose init runs a shell on the console and powers off when the shell ends. */
  public static byte[] withShell(byte[] busybox) {
    return with(busybox, SHELL);
  }

  /**
   * One with an init of the caller's.
   *
   * @param init a script for {@code /bin/busybox sh}; nothing is mounted yet
   */
  public static byte[] with(byte[] busybox, String init) {
    Initramfs archive = new Initramfs();
    try (CpioArchiveOutputStream cpio = archive.cpio) {
      for (String folder : new String[] {"bin", "dev", "proc", "root", "sys", "tmp"}) {
        archive.add(folder, CpioConstants.C_ISDIR | 0755, new byte[0], 0, 0);
      }
      archive.add("bin/busybox", CpioConstants.C_ISREG | 0755, busybox, 0, 0);
      // The kernel opens this for init's standard streams, before init can mount devtmpfs.
      archive.add("dev/console", CpioConstants.C_ISCHR | 0600, new byte[0], 5, 1);
      archive.add("init", CpioConstants.C_ISREG | 0755, init.getBytes(StandardCharsets.US_ASCII), 0, 0);
      cpio.finish();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return archive.bytes.toByteArray();
  }

  private void add(String path, long mode, byte[] content, int deviceMajor, int deviceMinor) throws IOException {
    CpioArchiveEntry entry = new CpioArchiveEntry(CpioConstants.FORMAT_NEW, path, content.length);
    entry.setInode(++inodes);
    entry.setMode(mode);
    entry.setNumberOfLinks(1);
    entry.setTime(0);
    entry.setRemoteDeviceMaj(deviceMajor);
    entry.setRemoteDeviceMin(deviceMinor);
    cpio.putArchiveEntry(entry);
    cpio.write(content);
    cpio.closeArchiveEntry();
  }
}

package org.xenolith.app.guest;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.commons.compress.archivers.cpio.CpioArchiveEntry;
import org.apache.commons.compress.archivers.cpio.CpioArchiveInputStream;
import org.apache.commons.compress.archivers.cpio.CpioConstants;
import org.junit.jupiter.api.Test;

class InitramfsTest {
  private static final byte[] BUSYBOX = "not really busybox".getBytes(StandardCharsets.US_ASCII);

  @Test
  void sameBusyboxGivesSameBytesAndAnotherGivesOthers() {
    assertThat(Initramfs.thatReportsReady(BUSYBOX)).isEqualTo(Initramfs.thatReportsReady(BUSYBOX));
    assertThat(Initramfs.thatReportsReady(BUSYBOX)).isNotEqualTo(Initramfs.thatReportsReady(new byte[] {1}));
    assertThat(Initramfs.thatReportsReady(BUSYBOX)).isNotEqualTo(Initramfs.withShell(BUSYBOX));
  }

  @Test
  void beginsWithTheMagicOfNewcAndEndsOnAWord() {
    byte[] archive = Initramfs.thatReportsReady(BUSYBOX);
    assertThat(new String(archive, 0, 6, StandardCharsets.US_ASCII)).isEqualTo("070701");
    assertThat(archive.length % 4).isZero();
  }

  @Test
  void holdsInitBusyboxAndTheConsoleDevice() throws IOException {
    Map<String, CpioArchiveEntry> entries = new LinkedHashMap<>();
    Map<String, byte[]> contents = new LinkedHashMap<>();
    try (CpioArchiveInputStream in = new CpioArchiveInputStream(new ByteArrayInputStream(Initramfs.thatReportsReady(BUSYBOX)))) {
      for (CpioArchiveEntry entry = in.getNextEntry(); entry != null; entry = in.getNextEntry()) {
        entries.put(entry.getName(), entry);
        contents.put(entry.getName(), in.readAllBytes());
      }
    }
    assertThat(contents.get("bin/busybox")).isEqualTo(BUSYBOX);
    assertThat(entries.get("bin/busybox").getMode()).isEqualTo(CpioConstants.C_ISREG | 0755);
    assertThat(entries.get("init").getMode()).isEqualTo(CpioConstants.C_ISREG | 0755);
    assertThat(new String(contents.get("init"), StandardCharsets.US_ASCII)).startsWith("#!/bin/busybox sh\n").contains("GUEST-READY");
    CpioArchiveEntry console = entries.get("dev/console");
    assertThat(console.getMode()).isEqualTo(CpioConstants.C_ISCHR | 0600);
    assertThat(console.getRemoteDeviceMaj()).isEqualTo(5);
    assertThat(console.getRemoteDeviceMin()).isEqualTo(1);
    assertThat(entries.values()).extracting(CpioArchiveEntry::getTime).containsOnly(0L);
    assertThat(entries.values()).extracting(CpioArchiveEntry::getInode).doesNotHaveDuplicates();
    // A folder stands before what is in it, since the kernel unpacks in order.
    assertThat(entries.keySet()).containsSubsequence("bin", "bin/busybox").containsSubsequence("dev", "dev/console");
  }
}

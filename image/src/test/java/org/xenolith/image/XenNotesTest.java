package org.xenolith.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;
import org.xenolith.image.XenNotes.Pae;
import org.xenolith.image.XenNotes.Phys32Reloc;
import org.xenolith.image.XenNotes.Source;

class XenNotesTest {
  private static ElfBuilder guest() {
    return new ElfBuilder(true).load(0x100000, 0x100000, 7, Samples.mixed(100), 0x4000);
  }

  private static ElfBuilder oldGuest(String info) {
    return guest().section("__xen_guest", 0, ElfBuilder.text(info));
  }

  private static XenNotes notes(ElfBuilder builder) {
    return XenNotes.of(Elf.parse(MemorySegment.ofArray(builder.build())));
  }

  private static PvLayout layout(ElfBuilder builder) {
    Elf elf = Elf.parse(MemorySegment.ofArray(builder.build()));
    return PvLayout.of(elf, XenNotes.of(elf));
  }

  @Test
  void everyNoteIsTyped() {
    XenNotes notes =
        notes(
            guest()
                .note("Xen", XenNotes.ENTRY, ElfBuilder.number(0x101000, 8))
                .note("Xen", XenNotes.HYPERCALL_PAGE, ElfBuilder.number(0x102000, 8))
                .note("Xen", XenNotes.VIRT_BASE, ElfBuilder.number(0x1000, 8))
                .note("Xen", XenNotes.PADDR_OFFSET, ElfBuilder.number(0x2000, 4))
                .note("Xen", XenNotes.XEN_VERSION, ElfBuilder.text("xen-3.0"))
                .note("Xen", XenNotes.GUEST_OS, ElfBuilder.text("linux"))
                .note("Xen", XenNotes.GUEST_VERSION, ElfBuilder.text("2.6"))
                .note("Xen", XenNotes.LOADER, ElfBuilder.text("generic"))
                .note("Xen", XenNotes.PAE_MODE, ElfBuilder.text("yes,bimodal"))
                .note("Xen", XenNotes.FEATURES, "!writable_page_tables".getBytes())
                .note("Xen", XenNotes.BSD_SYMTAB, ElfBuilder.text("yes"))
                .note("Xen", XenNotes.HV_START_LOW, ElfBuilder.number(0xffff800000000000L, 8))
                .note("Xen", XenNotes.L1_MFN_VALID, ElfBuilder.used(ElfBuilder.buffer(16).putLong(1).putLong(2)))
                .note("Xen", XenNotes.SUSPEND_CANCEL, ElfBuilder.number(1, 4))
                .note("Xen", XenNotes.INIT_P2M, ElfBuilder.number(0x8000000000L, 8))
                .note("Xen", XenNotes.MOD_START_PFN, ElfBuilder.number(1, 4))
                .note("Xen", XenNotes.SUPPORTED_FEATURES, ElfBuilder.number(0x8801, 4))
                .note("Xen", XenNotes.PHYS32_ENTRY, ElfBuilder.number(0x1000850, 8))
                .note("Xen", XenNotes.PHYS32_RELOC, ElfBuilder.used(ElfBuilder.buffer(12).putInt(0x400000).putInt(1).putInt(-1))));
    assertThat(notes.source()).isEqualTo(Source.ELF_NOTES);
    assertThat(notes.entry()).hasValue(0x101000);
    assertThat(notes.hypercallPage()).hasValue(0x102000);
    assertThat(notes.virtBase()).hasValue(0x1000);
    assertThat(notes.paddrOffset()).hasValue(0x2000);
    assertThat(notes.xenVersion()).isEqualTo("xen-3.0");
    assertThat(notes.guestOs()).isEqualTo("linux");
    assertThat(notes.guestVersion()).isEqualTo("2.6");
    assertThat(notes.loader()).isEqualTo("generic");
    assertThat(notes.pae()).isEqualTo(Pae.BIMODAL);
    assertThat(notes.featuresText()).isEqualTo("!writable_page_tables");
    assertThat(notes.features().supported()).isEqualTo(0x8801);
    assertThat(notes.features().required()).isEqualTo(1);
    assertThat(notes.bsdSymtab()).isTrue();
    assertThat(notes.hvStartLow()).hasValue(0xffff800000000000L);
    assertThat(notes.l1MfnValid()).containsExactly(new XenNotes.L1MfnValid(1, 2));
    assertThat(notes.suspendCancel()).isTrue();
    assertThat(notes.initP2m()).hasValue(0x8000000000L);
    assertThat(notes.modStartPfn()).isTrue();
    assertThat(notes.phys32Entry()).hasValue(0x1000850);
    assertThat(notes.phys32Reloc()).contains(new Phys32Reloc(0x400000, 1, 0xffff_ffffL));
    assertThat(notes.raw()).hasSize(19);
  }

  @Test
  void whatTheImageDoesNotSayIsEmpty() {
    XenNotes notes = notes(guest().pvNotes());
    assertThat(notes.entry()).isEmpty();
    assertThat(notes.hypercallPage()).isEmpty();
    assertThat(notes.initP2m()).isEmpty();
    assertThat(notes.phys32Reloc()).isEmpty();
    assertThat(notes.modStartPfn()).isFalse();
    assertThat(notes.pae()).isEqualTo(Pae.NO);
    assertThat(notes(guest()).source()).isEqualTo(Source.NONE);
  }

  @Test
  void sectionsNotesCountOnlyWithoutThoseOfSegments() {
    XenNotes sectionOnly = notes(guest().sectionNote("Xen", XenNotes.ENTRY, ElfBuilder.number(0x101000, 8)));
    assertThat(sectionOnly.entry()).hasValue(0x101000);
    XenNotes both = notes(guest().pvNotes().sectionNote("Xen", XenNotes.ENTRY, ElfBuilder.number(0x101000, 8)));
    assertThat(both.entry()).isEmpty();
    assertThat(both.loader()).isEqualTo("generic");
  }

  @Test
  void relocationNoteHasDefaultsForWhatItLeavesOut() {
    assertThat(notes(guest().note("Xen", XenNotes.PHYS32_RELOC, new byte[0])).phys32Reloc())
        .contains(new Phys32Reloc(0x1000, 0, 0xffff_ffffL));
  }

  @Test
  void oldStringIsReadLikeNotes() {
    XenNotes notes =
        notes(
            oldGuest(
                "GUEST_OS=Mini-OS,XEN_VER=xen-3.0,VIRT_BASE=0x400000,ELF_PADDR_OFFSET=0x0,HYPERCALL_PAGE=0x2,LOADER=generic,"
                    + "PAE=yes[extended-cr3],BSD_SYMTAB,FEATURES=!writable_page_tables|dom0"));
    assertThat(notes.source()).isEqualTo(Source.XEN_GUEST_SECTION);
    assertThat(notes.guestOs()).isEqualTo("Mini-OS");
    assertThat(notes.virtBase()).hasValue(0x400000);
    assertThat(notes.paddrOffset()).hasValue(0);
    assertThat(notes.hypercallPage()).hasValue(0x402000);
    assertThat(notes.pae()).isEqualTo(Pae.EXTENDED_CR3);
    assertThat(notes.bsdSymtab()).isTrue();
    assertThat(notes.features().required()).isEqualTo(1);
    assertThat(notes.features().supported()).isEqualTo(0x801);
    assertThat(notes.guestInfo()).containsEntry("LOADER", "generic");
  }

  @Test
  void oldStringsBadNumberIsNamed() {
    XenNotes notes = notes(oldGuest("VIRT_BASE=here"));
    assertThatThrownBy(notes::virtBase).isInstanceOf(ImageException.class).hasMessageContaining("VIRT_BASE=here");
  }

  @Test
  void layoutWithoutNotesForItTakesTheHeadersEntryAndBaseZero() {
    PvLayout layout = layout(guest().pvNotes());
    assertThat(layout.virtBase()).isZero();
    assertThat(layout.virtOffset()).isZero();
    assertThat(layout.virtStart()).isEqualTo(0x100000);
    assertThat(layout.virtEnd()).isEqualTo(0x104000);
    assertThat(layout.virtEntry()).isEqualTo(0x100000);
    assertThat(layout.hypercallPage()).isEmpty();
  }

  @Test
  void layoutOfAHighKernelIsOffsetByItsBase() {
    PvLayout layout = layout(Samples.guest());
    assertThat(layout.virtBase()).isEqualTo(0xffffffff80000000L);
    assertThat(layout.virtStart()).isEqualTo(Samples.BASE);
    assertThat(layout.virtEnd()).isEqualTo(Samples.BASE + 0xa000);
    assertThat(layout.virtEntry()).isEqualTo(Samples.BASE + 0x10);
  }

  @Test
  void oldStringsPaddrOffsetDefaultsToTheBase() {
    PvLayout layout = layout(oldGuest("LOADER=generic,XEN_VER=xen-3.0,VIRT_BASE=0x80000"));
    assertThat(layout.paddrOffset()).isEqualTo(0x80000);
    assertThat(layout.virtStart()).isEqualTo(0x100000);
  }

  @Test
  void imagesThatXenRefusesAreRefusedWithTheReason() {
    refused(guest(), "no Xen notes");
    refused(guest().note("Xen", XenNotes.XEN_VERSION, ElfBuilder.text("xen-3.0")), "neither the loader");
    refused(guest().note("Xen", XenNotes.LOADER, ElfBuilder.text("generic")), "XEN_VERSION");
    refused(guest().pvNotes().note("Xen", XenNotes.FEATURES, "!magic".getBytes()), "magic");
    refused(guest().pvNotes().note("Xen", XenNotes.PADDR_OFFSET, ElfBuilder.number(0, 8)), "PADDR_OFFSET");
    refused(guest().pvNotes().note("Xen", XenNotes.ENTRY, ElfBuilder.number(0x99, 8)), "entry point");
    refused(guest().pvNotes().note("Xen", XenNotes.INIT_P2M, ElfBuilder.number(0x101000, 8)), "INIT_P2M");
    ElfBuilder narrow = new ElfBuilder(false).load(0x100000, 0x100000, 7, new byte[16], 16).pvNotes();
    refused(narrow, "32-bit ELF file");
    narrow.machine = Elf.MACHINE_I386;
    refused(narrow, "a 32-bit kernel");
  }

  private static void refused(ElfBuilder builder, String reason) {
    assertThatThrownBy(() -> layout(builder)).isInstanceOf(ImageException.class).hasMessageContaining(reason);
  }
}

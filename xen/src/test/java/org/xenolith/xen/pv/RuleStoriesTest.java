package org.xenolith.xen.pv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.arguments;
import static org.xenolith.isa.Operand.gpr;
import static org.xenolith.isa.Operand.imm;
import static org.xenolith.isa.Operand.mem;
import static org.xenolith.isa.Operand.register;
import static org.xenolith.xen.pv.PageTableGuest.A;
import static org.xenolith.xen.pv.PageTableGuest.B;
import static org.xenolith.xen.pv.PageTableGuest.C;
import static org.xenolith.xen.pv.PageTableGuest.D;
import static org.xenolith.xen.pv.PageTableGuest.PIN;
import static org.xenolith.xen.pv.PageTableGuest.READ_ONLY;
import static org.xenolith.xen.pv.PageTableGuest.TABLE;
import static org.xenolith.xen.pv.PageTableGuest.TLB_FLUSH_LOCAL;
import static org.xenolith.xen.pv.PageTableGuest.UNPIN;
import static org.xenolith.xen.pv.PageTableGuest.WRITABLE;

import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.xenolith.isa.Assembler;
import org.xenolith.isa.Assembler.Label;
import org.xenolith.isa.Mnemonic;
import org.xenolith.isa.OperandKind;
import org.xenolith.machine.RunOutcome;
import org.xenolith.xen.mm.Pte;
import org.xenolith.xen.rules.Rule;

/**
 * Each rule told by two guests: one that breaks it, and one that does nearly the same and just keeps it. Pages A to D are mapped writable
 * when a story begins.
 */
class RuleStoriesTest {
  /** Told elsewhere: nothing but a frame table made by hand has so many references. */
  private static final Set<Rule> TOLD_ELSEWHERE = EnumSet.of(Rule.COUNT_LIMIT);

  private static final long XENS_DATA = 0xffff_8300_0000_0000L, M2P = 0xffff_8000_0000_0000L, NOWHERE = 0x7f00_0000_0000L;
  private static final int SET_GDT = 2, MEMORY_OP = 12, GRANT_TABLE_OP = 20, PHYSDEV_OP = 33;
  private static final int WRITABLE_PAGETABLES = 2, SELF = 0x7ff0;

  private record Story(Consumer<PageTableGuest> breaks, Consumer<PageTableGuest> keeps) {}

  private static final Map<Rule, Story> STORIES = new EnumMap<>(Rule.class);

  private static void story(Rule rule, Consumer<PageTableGuest> breaks, Consumer<PageTableGuest> keeps) {
    STORIES.put(rule, new Story(breaks, keeps));
  }

  static {
    // A page becomes a table while the kernel's own mapping of it is still writable.
    story(Rule.ONE_USE,
        g -> g.mmuext(PIN + 1, A),
        g -> g.readOnly(A).mmuext(PIN + 1, A));

    // What nobody uses counts: an entry in the last slot, left from before.
    story(Rule.WHOLE_TABLE,
        g -> g.store(A + 511 * 8, 0xb8000 | READ_ONLY).readOnly(A).mmuext(PIN + 1, A),
        g -> g.store(A + 511 * 8, 0xb8000).store(A + 511 * 8, 0).readOnly(A).mmuext(PIN + 1, A));

    // A table is made writable before it is given up, and after.
    story(Rule.WRITABLE_IS_EXCLUSIVE,
        g -> g.readOnly(A).mmuext(PIN + 1, A).writable(A),
        g -> g.readOnly(A).mmuext(PIN + 1, A).mmuext(UNPIN, A).writable(A));

    // Write-through is a caching attribute; a bit for software is not.
    story(Rule.ENTRY_FLAGS,
        g -> g.map(A, A, WRITABLE | Pte.WRITE_THROUGH),
        g -> g.map(A, A, WRITABLE | 0x200 | Pte.NO_EXECUTE));

    // An L2 entry maps 2 MiB at once, or a table for them.
    story(Rule.SMALL_PAGES,
        g -> g.setEntry(2, 100, A, WRITABLE | Pte.LARGE),
        g -> g.readOnly(A).setEntry(2, 100, A, TABLE));

    // The frame of the M2P table itself, by its number, and one of its own.
    story(Rule.OWN_FRAMES,
        g -> g.mapEntry(A, Pte.of(0x101, READ_ONLY)),
        g -> g.map(A, B, READ_ONLY));

    // The screen of a PC is at 0xb8000: a pseudo-physical address taken for a machine address hits it soon.
    story(Rule.NO_IO_MEMORY,
        g -> g.mapEntry(A, 0xb8000 | READ_ONLY),
        g -> g.map(A, 0xb8000, READ_ONLY));

    // A page directory entry names a page that is still mapped writable.
    story(Rule.NEXT_LEVEL,
        g -> g.setEntry(2, 100, A, TABLE),
        g -> g.readOnly(A).setEntry(2, 100, A, TABLE));

    // The root maps itself, so that its own entries could be read at an address: with write permission, and without.
    story(Rule.LINEAR_TABLES,
        g -> g.firstTable(Assembler.RDX, 0).setEntryRdx(0, 5, TABLE),
        g -> g.firstTable(Assembler.RDX, 0).setEntryRdx(0, 5, TABLE & ~Pte.WRITABLE));

    // The last slot of Xen's, and the first behind.
    story(Rule.XEN_SLOTS,
        g -> g.request(0, 271, 0),
        g -> g.request(0, 272, 0));

    story(Rule.READ_ONLY_M2P,
        g -> g.store(M2P, 0),
        g -> g.read(M2P));

    // Bit 52 marks a page of the kernel, and G one that user and kernel share.
    story(Rule.REWRITTEN_FLAGS,
        g -> g.map(A, A, READ_ONLY | Pte.GUEST_KERNEL | Pte.GLOBAL),
        g -> g.map(A, A, READ_ONLY | Pte.GUEST_KERNEL));

    // A granted page is unmapped by overwriting its entry, or as it was mapped.
    story(Rule.GRANTS_UNMAPPED,
        g -> mapGrant(g).map(D, D, READ_ONLY),
        g -> unmapGrant(mapGrant(g)).map(D, D, READ_ONLY));

    // A page is made inaccessible by taking P away alone, or by an entry that is no address any more.
    story(Rule.L1TF_SAFE,
        g -> g.map(A, A, 0x60),
        g -> g.mapEntry(A, ~0x1234_5000L & Pte.ADDRESS | 0x60));

    story(Rule.ENTRY_UPDATES,
        g -> g.requestAbout(A, 0, 5, 0),
        g -> g.requestAbout(A, 0, 0, 0x1234));

    story(Rule.VA_UPDATES,
        g -> g.map(NOWHERE, A, READ_ONLY),
        g -> g.map(A, A, READ_ONLY));

    // The kernel stores to a table as if it were its own: an L2, and an L1.
    story(Rule.TABLE_STORES,
        g -> {
          g.guest.call(MicroGuest.VM_ASSIST, 0, WRITABLE_PAGETABLES);
          g.readOnly(A).mmuext(PIN + 2, A).store(A, 0);
        },
        g -> {
          g.guest.call(MicroGuest.VM_ASSIST, 0, WRITABLE_PAGETABLES);
          g.readOnly(A).mmuext(PIN + 1, A).store(A, 0);
        });

    story(Rule.EXTENDED_OPS,
        g -> g.mmuext(14),
        g -> g.mmuext(TLB_FLUSH_LOCAL));

    story(Rule.PINNED_ONCE,
        g -> g.readOnly(A).mmuext(PIN + 1, A).mmuext(PIN + 1, A),
        g -> g.readOnly(A).mmuext(PIN + 1, A).mmuext(UNPIN, A).mmuext(PIN + 1, A));

    // A GDT in a page that the kernel could still write to.
    story(Rule.DESCRIPTORS,
        g -> setGdt(g),
        g -> setGdt(g.readOnly(A)));

    // Text is patched with write protection off, as processors of one's own allow; switching TS is allowed.
    story(Rule.WRITE_PROTECTION_ON,
        g -> changeCr0(g, 1 << 16),
        g -> changeCr0(g, 1 << 3));

    story(Rule.NATIVE_INSTRUCTION,
        // invlpg (%rbx)
        g -> g.a.mov(Assembler.RBX, A).raw(0x0f, 0x01, 0x3b),
        g -> g.a.emit(Mnemonic.CLTS));

    story(Rule.XEN_ADDRESSES,
        g -> g.read(XENS_DATA),
        g -> g.read(M2P));

    // A port is written without asking, and after the privilege level was set.
    story(Rule.PORT_PERMISSION,
        RuleStoriesTest::writePort,
        g -> {
          g.guest.put(20, 1).call(PHYSDEV_OP, 6, MicroGuest.DATA + 160);
          writePort(g);
        });

    story(Rule.USER_ROOT,
        RuleStoriesTest::enterUserMode,
        g -> {
          g.guest.userRoot(20);
          enterUserMode(g);
        });

    story(Rule.HANDLERS,
        g -> g.a.emit(Mnemonic.UD2),
        g -> {
          endAtInvalidOpcode(g);
          g.a.emit(Mnemonic.UD2);
        });

    // A PV guest has no physmap to add to; it may ask how much memory it can have.
    story(Rule.MEMORY_CALLS,
        g -> g.guest.put(20, SELF).put(21, 0).put(22, 0).call(MEMORY_OP, 7, MicroGuest.DATA + 160),
        g -> g.guest.put(20, SELF).call(MEMORY_OP, 4, MicroGuest.DATA + 160));
  }

  private static PageTableGuest setGdt(PageTableGuest g) {
    g.mfn(Assembler.RDX, A);
    g.guest.keep(20, Assembler.RDX).call(SET_GDT, MicroGuest.DATA + 160, 512);
    return g;
  }

  private static void changeCr0(PageTableGuest g, long bit) {
    g.a.emit(Mnemonic.MOV, gpr(Assembler.RBX), register(OperandKind.CR, 0)).emit(Mnemonic.XOR, gpr(Assembler.RBX), imm(bit));
    g.a.emit(Mnemonic.MOV, register(OperandKind.CR, 0), gpr(Assembler.RBX));
  }

  private static void writePort(PageTableGuest g) {
    // out %al,$0x80
    g.a.raw(0xe6, 0x80);
  }

  private static void endAtInvalidOpcode(PageTableGuest g) {
    Label over = g.a.newLabel();
    Label handler = g.a.newLabel();
    g.a.jmp(over).bind(handler);
    g.guest.powerOff();
    g.a.bind(over);
    g.guest.handler(6, 0, handler, 30);
  }

  /** User mode runs an invalid instruction, whose handler, in the kernel, powers off. */
  private static void enterUserMode(PageTableGuest g) {
    endAtInvalidOpcode(g);
    g.guest.call(MicroGuest.STACK_SWITCH, 0xe02b, MicroGuest.STACK);
    Label user = g.a.newLabel();
    g.guest.goTo(user, 0xe033, 0x202, MicroGuest.STACK - 0x800, 0);
    g.a.bind(user).emit(Mnemonic.UD2);
  }

  /** Grants page C to itself, by entry 8 of the grant table, which is mapped at B, and maps it at D. */
  private static PageTableGuest mapGrant(PageTableGuest g) {
    // struct gnttab_setup_table: domid, nr_frames; status; frame_list.
    g.guest.put(20, SELF | 1L << 32).put(21, 0).put(22, MicroGuest.DATA + 8 * 30);
    g.guest.call(GRANT_TABLE_OP, 2, MicroGuest.DATA + 160, 1).load(Assembler.RSI, 30);
    g.a.emit(Mnemonic.SHL, gpr(Assembler.RSI), imm(12)).emit(Mnemonic.OR, gpr(Assembler.RSI), imm(WRITABLE));
    g.mapRsi(B).mfn(Assembler.RDX, C);
    // Version 1: flags (GTF_permit_access), domid 1, frame.
    g.a.emit(Mnemonic.SHL, gpr(Assembler.RDX), imm(32)).emit(Mnemonic.OR, gpr(Assembler.RDX), imm(1 | 1 << 16));
    g.a.mov(Assembler.RBX, B).emit(Mnemonic.MOV, mem(Assembler.RBX, 8 * 8), gpr(Assembler.RDX));
    // struct gnttab_map_grant_ref: host_addr; flags (GNTMAP_host_map), ref; dom.
    g.guest.put(20, D).put(21, 2 | 8L << 32).put(22, 1).put(23, 0).call(GRANT_TABLE_OP, 0, MicroGuest.DATA + 160, 1);
    return g;
  }

  private static PageTableGuest unmapGrant(PageTableGuest g) {
    // The handle lies behind dom and status.
    g.guest.load(Assembler.RDX, 22);
    g.a.emit(Mnemonic.SHR, gpr(Assembler.RDX), imm(32));
    g.guest.keep(22, Assembler.RDX).put(20, D).put(21, 0).call(GRANT_TABLE_OP, 1, MicroGuest.DATA + 160, 1);
    return g;
  }

  private static Stream<Arguments> stories() {
    return STORIES.entrySet().stream().map(e -> arguments(e.getKey(), e.getValue()));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("stories")
  void oneGuestBreaksTheRuleAndIsTold(Rule rule, Story story) {
    try (PageTableGuest guest = new PageTableGuest()) {
      story.breaks.accept(guest);
      guest.guest.powerOff();
      guest.run();
      assertThat(guest.breaches).anySatisfy(b -> assertThat(b.within() == null ? b.rule() : b.within()).isEqualTo(rule));
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("stories")
  void anotherJustKeepsIt(Rule rule, Story story) {
    try (PageTableGuest guest = new PageTableGuest()) {
      story.keeps.accept(guest);
      guest.guest.powerOff();
      RunOutcome outcome = guest.run();
      assertThat(guest.breaches).isEmpty();
      assertThat(outcome.kind()).as(outcome.reason()).isEqualTo(RunOutcome.Kind.POWEROFF);
    }
  }

  @Test
  void everyRuleThatAGuestCanBreakIsTold() {
    for (Rule rule : Rule.values()) {
      assertThat(STORIES.containsKey(rule)).as(rule.id()).isEqualTo(rule.breakable() && !TOLD_ELSEWHERE.contains(rule));
    }
  }
}

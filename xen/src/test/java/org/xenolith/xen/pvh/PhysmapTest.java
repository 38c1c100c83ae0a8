package org.xenolith.xen.pvh;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.xenolith.machine.RunOutcome;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;

class PhysmapTest {
  private static final int DECREASE = 1, POPULATE = 6, ADD = 7, REMOVE = 15, SELF = 0x7ff0, SHARED_INFO = 0, GRANT_TABLE = 1, GMFN = 2;
  private static final long A = TinyContainer.ARGUMENTS, LIST = A + 0x100, HOLE = 0x500, TABLE = 0x600, GRANTED = 0x1c0;

  private final TinyContainer guest = new TinyContainer();

  @AfterEach
  void close() {
    guest.close();
  }

  private long add(int space, long index, long gfn) {
    guest.arguments(SELF, space);
    guest.write(A + 8, index);
    guest.write(A + 16, gfn);
    return guest.hypercall(TinyContainer.MEMORY_OP, ADD, A);
  }

  private long reservation(int operation, long gfn) {
    guest.write(A, LIST);
    guest.write(A + 8, 1);
    guest.write(A + 16, 0);
    guest.write(A + 24, SELF);
    guest.write(LIST, gfn);
    return guest.hypercall(TinyContainer.MEMORY_OP, operation, A);
  }

  @Test
  void sharedInfoGoesWhereTheGuestWantsItAndMovesFromThere() {
    guest.code(0xf4).build();
    long mfn = guest.machine().domain().sharedInfoMfn;
    assertThat(add(SHARED_INFO, 0, HOLE)).isZero();
    assertThat(guest.machine().p2m().mfn(HOLE)).isEqualTo(mfn);
    long before = guest.machine().domain().totalPages;
    assertThat(add(SHARED_INFO, 0, 0x1d0)).as("over RAM, which is freed").isZero();
    assertThat(guest.machine().p2m().mfn(HOLE)).isEqualTo(-1);
    assertThat(guest.machine().p2m().mfn(0x1d0)).isEqualTo(mfn);
    assertThat(guest.machine().domain().totalPages).isEqualTo(before - 1);
    assertThat(add(SHARED_INFO, 1, HOLE)).isEqualTo(-Errno.EINVAL);
    assertThat(add(SHARED_INFO, 0, -1)).isEqualTo(-Errno.EINVAL);
    assertThat(add(SHARED_INFO, 0, P2m.FRAMES)).isNegative();
  }

  @Test
  void memoryGivenBackIsAHoleAndCanBeHadAgain() {
    guest.code(0xf4).build();
    Domain domain = guest.machine().domain();
    long before = domain.totalPages;
    long mfn = guest.machine().p2m().mfn(GRANTED);
    assertThat(reservation(DECREASE, GRANTED)).isEqualTo(1);
    assertThat(guest.machine().p2m().kind(GRANTED)).isEqualTo(P2m.Kind.NOTHING);
    assertThat(domain.totalPages).isEqualTo(before - 1);
    assertThat(domain.xen.frames.count(mfn)).isZero();
    assertThat(reservation(DECREASE, GRANTED)).as("nothing there").isZero();
    assertThat(reservation(POPULATE, GRANTED)).isEqualTo(1);
    assertThat(guest.machine().p2m().kind(GRANTED)).isEqualTo(P2m.Kind.RAM);
    assertThat(domain.totalPages).isEqualTo(before);
  }

  @Test
  void aFrameMovesAndLeavesAHole() {
    guest.code(0xf4).build();
    long mfn = guest.machine().p2m().mfn(GRANTED);
    assertThat(add(GMFN, GRANTED, HOLE)).isZero();
    assertThat(guest.machine().p2m().mfn(HOLE)).isEqualTo(mfn);
    assertThat(guest.machine().p2m().mfn(GRANTED)).isEqualTo(-1);
    assertThat(add(GMFN, GRANTED, HOLE)).isEqualTo(-Errno.EINVAL);
    guest.arguments(SELF, 0);
    guest.write(A + 8, HOLE);
    assertThat(guest.hypercall(TinyContainer.MEMORY_OP, REMOVE, A)).isZero();
    assertThat(guest.hypercall(TinyContainer.MEMORY_OP, REMOVE, A)).isEqualTo(-Errno.ENOENT);
  }

  /** The word at the start of a machine frame. */
  private int word(long mfn) {
    return guest.machine().memory().readInt(mfn << 12);
  }

  /** Maps the guest's own grant of a frame, which then is there alone (p2m_add_page); its reference is 8. */
  private long mapGrant(long gpa, int flags) {
    assertThat(add(GRANT_TABLE, 0, TABLE)).isZero();
    guest.write((TABLE << 12) + 8 * 8, 1 | 1 << 16 | GRANTED << 32);
    guest.write(A, gpa);
    guest.words(A + 8, flags, 8, 1);
    assertThat(guest.hypercall(TinyContainer.GRANT_TABLE_OP, 0, A, 1)).isZero();
    return (short) (guest.word(A + 16) >>> 16);
  }

  @Test
  void aStoreToAGrantMappedReadOnlyHasNoEffect() {
    // movl $0x77,0x500000; movl 0x500000,%eax
    guest.code(0xc7, 0x05, 0, 0, 0x50, 0, 0x77, 0, 0, 0).code(0xa1, 0, 0, 0x50, 0).keep(A + 0x200).powerOff().build();
    guest.words(GRANTED << 12, 0x1234);
    long mfn = guest.machine().p2m().mfn(GRANTED);
    assertThat(mapGrant(HOLE << 12, 2 | 4)).isZero();

    assertThat(guest.run().kind()).isEqualTo(RunOutcome.Kind.POWEROFF);
    assertThat(guest.word(A + 0x200)).isEqualTo(0x1234);
    assertThat(word(mfn)).isEqualTo(0x1234);
    assertThat(guest.machine().exits()).containsEntry("second-stage", 1L);
  }

  @Test
  void aGrantMappedWritableIsTheFrameItself() {
    guest.code(0xc7, 0x05, 0, 0, 0x50, 0, 0x77, 0, 0, 0).powerOff().build();
    long mfn = guest.machine().p2m().mfn(GRANTED);
    assertThat(mapGrant(HOLE << 12, 2)).isZero();
    assertThat(guest.machine().p2m().mfn(GRANTED)).isEqualTo(-1);
    assertThat(guest.run().kind()).isEqualTo(RunOutcome.Kind.POWEROFF);
    assertThat(word(mfn)).isEqualTo(0x77);
  }

  @Test
  void mappingOverAMappedGrantCrashesTheDomain() {
    guest.code(0xf4).build();
    assertThat(mapGrant(HOLE << 12, 2)).isZero();
    assertThat(reservation(POPULATE, HOLE)).isZero();
    assertThat(guest.machine().domain().shutdown).isEqualTo(Domain.SHUTDOWN_CRASH);
  }

  @Test
  void codeInAGrantCannotRun() {
    guest.code(0xe9, 0xfb, 0xff, 0x3f, 0x00).build();
    assertThat(mapGrant(HOLE << 12, 2)).isZero();
    assertThat(guest.run().kind()).isEqualTo(RunOutcome.Kind.CRASH);
    assertThat(guest.machine().domain().crashReason).contains("0x500000");
  }
}

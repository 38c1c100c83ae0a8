package org.xenolith.xen.grant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.xen.Errno.EBUSY;
import static org.xenolith.xen.Errno.EFAULT;
import static org.xenolith.xen.Errno.EINVAL;
import static org.xenolith.xen.Errno.ENOSYS;
import static org.xenolith.xen.Errno.EPERM;
import static org.xenolith.xen.Errno.ERANGE;
import static org.xenolith.xen.Errno.ESRCH;

import org.junit.jupiter.api.Test;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.xen.TestDomain;

class GrantTablesTest {
  private static final int SELF = 0x7ff0;
  private static final int MAP = 0, UNMAP = 1, SETUP = 2, TRANSFER = 4, COPY = 5, QUERY_SIZE = 6, SET_VERSION = 8, STATUS_FRAMES = 9;
  private static final int GET_VERSION = 10, SWAP = 11, CACHE_FLUSH = 12;
  private static final long ARG = TestDomain.ARGUMENTS, LIST = TestDomain.ARGUMENTS + 0x1000;

  private final TestDomain test = new TestDomain(1);
  private final GuestMemory memory = test.memory;
  private final long[] own = test.domain.xen.mmu.populate(test.domain, 16, 1);
  private final GrantTables tables = new GrantTables(test.domain);

  private long call(int operation, int count) {
    return tables.call(test.vcpu(0), new long[] {operation, ARG, count, 0, 0});
  }

  private int status(int offset) {
    return memory.readShort(ARG + offset);
  }

  /** Sets the table up with frames in {@link #LIST}; returns the first. */
  private long setUp(int frames) {
    memory.writeInt(ARG, SELF);
    memory.writeInt(ARG + 4, frames);
    memory.writeLong(ARG + 16, LIST);
    assertThat(call(SETUP, 1)).isZero();
    assertThat(status(8)).isZero();
    return memory.readLong(LIST);
  }

  private long setVersion(int version) {
    memory.writeInt(ARG, version);
    return call(SET_VERSION, 1);
  }

  private void grantV1(long table, int ref, int flags, int domid, long mfn) {
    memory.writeShort((table << 12) + ref * 8L, (short) flags);
    memory.writeShort((table << 12) + ref * 8L + 2, (short) domid);
    memory.writeInt((table << 12) + ref * 8L + 4, (int) mfn);
  }

  @Test
  void theTableGrowsToItsLimit() {
    memory.writeInt(ARG, SELF);
    assertThat(call(QUERY_SIZE, 1)).isZero();
    assertThat(memory.readInt(ARG + 4)).isEqualTo(1);
    assertThat(memory.readInt(ARG + 8)).isEqualTo(64);
    setUp(64);
    for (int i = 1; i < 64; i++) {
      assertThat(memory.readLong(LIST + 8L * i)).isNotEqualTo(memory.readLong(LIST));
    }
    memory.writeInt(ARG, SELF);
    call(QUERY_SIZE, 1);
    assertThat(memory.readInt(ARG + 4)).isEqualTo(64);
    memory.writeInt(ARG + 4, 65);
    memory.writeLong(ARG + 16, LIST);
    assertThat(call(SETUP, 1)).isZero();
    assertThat(status(8)).as("general error").isEqualTo(-1);
  }

  @Test
  void tableFramesAreTheDomainsToMapForWriting() {
    long frame = setUp(1);
    assertThat(test.domain.xen.frames.owner(frame)).isEqualTo(1);
    assertThat(test.domain.xen.mmu.getWritablePage(test.domain, frame)).isTrue();
  }

  @Test
  void theRingsAreGrantedToDomainZeroAndSurviveAChangeOfVersion() {
    tables.grantRings(own[0], own[1]);
    long frame = setUp(1);
    assertThat(memory.readShort(frame << 12)).isEqualTo((short) 1);
    assertThat(memory.readInt((frame << 12) + 4)).isEqualTo((int) own[0]);
    assertThat(memory.readInt((frame << 12) + 12)).isEqualTo((int) own[1]);
    grantV1(frame, 9, 1, 0, own[2]);
    assertThat(setVersion(2)).isZero();
    assertThat(memory.readShort((frame << 12) + 16)).isEqualTo((short) 1);
    assertThat(memory.readLong((frame << 12) + 16 + 8)).isEqualTo(own[1]);
    assertThat(memory.readLong((frame << 12) + 9 * 16)).as("others are cleared").isZero();
    assertThat(setVersion(1)).isZero();
    assertThat(memory.readInt((frame << 12) + 12)).isEqualTo((int) own[1]);
  }

  @Test
  void versionsAreOneAndTwo() {
    memory.writeInt(ARG, SELF);
    assertThat(call(GET_VERSION, 1)).isZero();
    assertThat(memory.readInt(ARG + 4)).isEqualTo(1);
    assertThat(setVersion(3)).isEqualTo(-EINVAL);
    assertThat(memory.readInt(ARG)).isEqualTo(1);
    assertThat(setVersion(2)).isZero();
    assertThat(memory.readInt(ARG)).isEqualTo(2);
    long frame = setUp(1);
    memory.writeShort(frame << 12, (short) 1);
    memory.writeLong((frame << 12) + 8, 1L << 32);
    assertThat(setVersion(1)).as("the frame does not fit version 1").isEqualTo(-ERANGE);
  }

  @Test
  void statusFramesComeWithVersionTwo() {
    memory.writeInt(ARG, 1);
    memory.writeInt(ARG + 4, SELF);
    memory.writeLong(ARG + 8, LIST);
    assertThat(call(STATUS_FRAMES, 1)).isZero();
    assertThat(status(6)).isEqualTo(-1);
    setUp(16);
    setVersion(2);
    memory.writeInt(ARG, 2);
    memory.writeInt(ARG + 4, SELF);
    memory.writeLong(ARG + 8, LIST);
    assertThat(call(STATUS_FRAMES, 1)).isZero();
    assertThat(status(6)).isZero();
    assertThat(memory.readLong(LIST)).isNotZero().isNotEqualTo(memory.readLong(LIST + 8));
    memory.writeInt(ARG, 3);
    call(STATUS_FRAMES, 1);
    assertThat(status(6)).isEqualTo(-1);
  }

  @Test
  void otherDomainsTablesAreNotTheGuests() {
    for (int operation : new int[] {QUERY_SIZE, SETUP}) {
      memory.writeLong(ARG, 0);
      memory.writeLong(ARG + 16, LIST);
      assertThat(call(operation, 1)).isZero();
      assertThat(status(operation == SETUP ? 8 : 12)).isEqualTo(-8);
      memory.writeLong(ARG, 9);
      call(operation, 1);
      assertThat(status(operation == SETUP ? 8 : 12)).isEqualTo(-2);
    }
    memory.writeLong(ARG, 0);
    assertThat(call(GET_VERSION, 1)).isEqualTo(-EPERM);
    memory.writeLong(ARG, 9);
    assertThat(call(GET_VERSION, 1)).isEqualTo(-ESRCH);
  }

  @Test
  void whatOthersDidNotGrantCannotBeMapped() {
    memory.writeInt(ARG + 8, 2);
    memory.writeInt(ARG + 12, 3);
    memory.writeInt(ARG + 16, 0);
    assertThat(call(MAP, 1)).isZero();
    assertThat(status(18)).isEqualTo(-1);
    memory.writeInt(ARG + 12, 600);
    call(MAP, 1);
    assertThat(status(18)).isEqualTo(-3);
    memory.writeShort(ARG + 16, (short) 5);
    call(MAP, 1);
    assertThat(status(18)).isEqualTo(-2);
    memory.writeShort(ARG + 16, (short) SELF);
    call(MAP, 1);
    assertThat(status(18)).isEqualTo(-2);
    memory.writeInt(ARG + 8, 0);
    call(MAP, 1);
    assertThat(status(18)).isEqualTo(-3);
    call(UNMAP, 1);
    assertThat(status(20)).isEqualTo(-4);
    assertThat(test.domain.xen.unimplemented).isNull();
  }

  private int map(int flags, int ref) {
    memory.writeLong(ARG, 0x7000_0000L);
    memory.writeInt(ARG + 8, flags);
    memory.writeInt(ARG + 12, ref);
    memory.writeInt(ARG + 16, 1);
    assertThat(call(MAP, 1)).isZero();
    return status(18);
  }

  private int unmap(int handle, long busAddress) {
    memory.writeLong(ARG, 0);
    memory.writeLong(ARG + 8, busAddress);
    memory.writeInt(ARG + 16, handle);
    assertThat(call(UNMAP, 1)).isZero();
    return status(20);
  }

  @Test
  void aMappingForADeviceHoldsTheFrameUntilItsEnd() {
    long table = setUp(1);
    grantV1(table, 9, 1, 1, own[0]);
    int before = test.domain.xen.frames.count(own[0]);
    assertThat(map(1, 9)).isZero();
    int handle = memory.readInt(ARG + 20);
    assertThat(memory.readLong(ARG + 24)).isEqualTo(own[0] << 12);
    assertThat(memory.readShort((table << 12) + 72)).as("reading and writing").isEqualTo((short) (1 | 8 | 16));
    assertThat(test.domain.xen.frames.count(own[0])).isEqualTo(before + 1);
    assertThat(setVersion(2)).isEqualTo(-EBUSY);
    assertThat(unmap(handle, 0x1000)).as("another address").isEqualTo(-6);
    assertThat(unmap(handle, own[0] << 12)).isZero();
    assertThat(unmap(handle, own[0] << 12)).as("again").isEqualTo(-4);
    assertThat(memory.readShort((table << 12) + 72)).isEqualTo((short) 1);
    assertThat(test.domain.xen.frames.count(own[0])).isEqualTo(before);
    assertThat(setVersion(2)).isZero();
  }

  @Test
  void readOnlyGrantsAreMappedForReadingOnly() {
    long table = setUp(1);
    grantV1(table, 9, 1 | 4, 1, own[0]);
    assertThat(map(1, 9)).isEqualTo(-1);
    assertThat(map(1 | 4, 9)).isZero();
    assertThat(memory.readShort((table << 12) + 72)).isEqualTo((short) (1 | 4 | 8));
    assertThat(map(1, 9)).isEqualTo(-1);
    assertThat(memory.readShort((table << 12) + 72)).isEqualTo((short) (1 | 4 | 8));
  }

  @Test
  void whatCannotBeMappedLeavesNoTrace() {
    long table = setUp(1);
    grantV1(table, 9, 1, 1, own[0]);
    grantV1(table, 10, 1, 1, 5);
    int before = test.domain.xen.frames.count(own[0]);
    assertThat(map(2, 9)).as("no page table at the address").isEqualTo(-1);
    assertThat(map(3, 9)).isEqualTo(-1);
    assertThat(map(1, 10)).as("no frame of the domain").isEqualTo(-9);
    assertThat(map(1, 11)).as("an empty entry").isEqualTo(-1);
    assertThat(memory.readShort((table << 12) + 72)).isEqualTo((short) 1);
    assertThat(memory.readShort((table << 12) + 80)).isEqualTo((short) 1);
    assertThat(test.domain.xen.frames.count(own[0])).isEqualTo(before);
    assertThat(setVersion(2)).isZero();
  }

  @Test
  void statusFramesThatAreMappedKeepVersionTwo() {
    setUp(1);
    setVersion(2);
    memory.writeInt(ARG, 1);
    memory.writeInt(ARG + 4, SELF);
    memory.writeLong(ARG + 8, LIST);
    call(STATUS_FRAMES, 1);
    long frame = memory.readLong(LIST);
    assertThat(test.domain.xen.mmu.getPage(test.domain, frame)).isTrue();
    assertThat(setVersion(1)).isEqualTo(-EBUSY);
    assertThat(memory.readInt(ARG)).isEqualTo(2);
    test.domain.xen.mmu.putPage(frame);
    assertThat(setVersion(1)).isZero();
    assertThat(test.domain.xen.mmu.getPage(test.domain, frame)).as("it is Xen's again").isFalse();
  }

  @Test
  void aMappedStatusFrameStaysEvenIfTheDomainGaveItBack() {
    setUp(1);
    setVersion(2);
    memory.writeInt(ARG, 1);
    memory.writeInt(ARG + 4, SELF);
    memory.writeLong(ARG + 8, LIST);
    call(STATUS_FRAMES, 1);
    long frame = memory.readLong(LIST);
    assertThat(test.domain.xen.mmu.getPage(test.domain, frame)).isTrue();
    memory.writeLong(LIST, frame);
    memory.fill(ARG, 32, (byte) 0);
    memory.writeLong(ARG, LIST);
    memory.writeLong(ARG + 8, 1);
    memory.writeInt(ARG + 24, SELF);
    assertThat(test.domain.xen.hypercalls.call(test.vcpu(0), 12, new long[] {1, ARG, 0, 0, 0})).as("decrease_reservation").isEqualTo(1);
    assertThat(setVersion(1)).isEqualTo(-EBUSY);
    test.domain.xen.mmu.putPage(frame);
    assertThat(setVersion(1)).isZero();
  }

  private int copy(long from, int fromDomid, int fromOffset, long to, int toDomid, int toOffset, int length, int flags) {
    memory.writeLong(ARG, from);
    memory.writeShort(ARG + 8, (short) fromDomid);
    memory.writeShort(ARG + 10, (short) fromOffset);
    memory.writeLong(ARG + 16, to);
    memory.writeShort(ARG + 24, (short) toDomid);
    memory.writeShort(ARG + 26, (short) toOffset);
    memory.writeShort(ARG + 32, (short) length);
    memory.writeShort(ARG + 34, (short) flags);
    assertThat(call(COPY, 1)).isZero();
    return status(36);
  }

  @Test
  void copiesGoBetweenFramesAndGrants() {
    long table = setUp(1);
    memory.writeLong((own[0] << 12) + 100, 0x1122334455667788L);
    assertThat(copy(own[0], SELF, 100, own[1], SELF, 200, 8, 0)).isZero();
    assertThat(memory.readLong((own[1] << 12) + 200)).isEqualTo(0x1122334455667788L);
    grantV1(table, 20, 1, 1, own[2]);
    assertThat(copy(own[0], SELF, 100, 20, 1, 4088, 8, 2)).isZero();
    assertThat(memory.readLong((own[2] << 12) + 4088)).isEqualTo(0x1122334455667788L);
    assertThat(memory.readShort((table << 12) + 160)).as("not in use any more").isEqualTo((short) 1);
  }

  @Test
  void copiesAreChecked() {
    long table = setUp(1);
    grantV1(table, 20, 1 | 4, 1, own[2]);
    assertThat(copy(own[0], SELF, 0, 20, 1, 0, 8, 2)).as("read only").isEqualTo(-1);
    assertThat(copy(20, 1, 0, own[0], SELF, 0, 8, 1)).isZero();
    assertThat(copy(own[0], SELF, 4090, own[1], SELF, 0, 8, 0)).as("beyond the page").isEqualTo(-10);
    assertThat(copy(own[0], 1, 0, own[1], SELF, 0, 8, 0)).as("frames only as self").isEqualTo(-8);
    assertThat(copy(20, 9, 0, own[1], SELF, 0, 8, 1)).isEqualTo(-2);
    assertThat(copy(20, 0, 0, own[1], SELF, 0, 8, 1)).isEqualTo(-1);
    assertThat(copy(9999, 1, 0, own[1], SELF, 0, 8, 1)).isEqualTo(-3);
    assertThat(copy(2, SELF, 0, own[1], SELF, 0, 8, 0)).as("no frame of the domain").isEqualTo(-9);
    assertThat(copy(1L << 50, SELF, 0, own[1], SELF, 0, 8, 0)).isEqualTo(-9);
    assertThat(copy(2, SELF, 0, own[1], SELF, 0, 0, 0)).as("nothing to copy").isZero();
    setVersion(2);
    long entry = (table << 12) + 20 * 16;
    memory.writeShort(entry, (short) (1 | 1 << 8));
    memory.writeShort(entry + 2, (short) 1);
    memory.writeShort(entry + 4, (short) 16);
    memory.writeShort(entry + 6, (short) 32);
    memory.writeLong(entry + 8, own[2]);
    assertThat(copy(20, 1, 16, own[0], SELF, 0, 32, 1)).isZero();
    assertThat(copy(20, 1, 8, own[0], SELF, 0, 8, 1)).as("outside the part granted").isEqualTo(-1);
    assertThat(copy(20, 1, 16, own[0], SELF, 0, 33, 1)).isEqualTo(-1);
  }

  @Test
  void entriesAreSwapped() {
    long table = setUp(1);
    grantV1(table, 20, 1, 0, 77);
    memory.writeInt(ARG, 20);
    memory.writeInt(ARG + 4, 21);
    assertThat(call(SWAP, 1)).isZero();
    assertThat(status(8)).isZero();
    assertThat(memory.readInt((table << 12) + 21 * 8 + 4)).isEqualTo(77);
    assertThat(memory.readLong((table << 12) + 20 * 8)).isZero();
    memory.writeInt(ARG, 512);
    call(SWAP, 1);
    assertThat(status(8)).isEqualTo(-3);
  }

  @Test
  void longCallsGoOnAfterALookAtEvents() {
    assertThat(call(UNMAP, 1500)).isZero();
    assertThat(test.vcpu(0).rest).containsExactly(UNMAP, ARG + 24 * 1024, 476, 0, 0);
    assertThat(memory.readShort(ARG + 24 * 1023 + 20)).isEqualTo((short) -4);
    assertThat(memory.readShort(ARG + 24 * 1024 + 20)).isZero();
  }

  @Test
  void wrongCallsGetXensErrors() {
    assertThat(call(QUERY_SIZE, 2)).isEqualTo(-EINVAL);
    assertThat(call(SETUP, 0)).isEqualTo(-EINVAL);
    assertThat(call(STATUS_FRAMES, 0)).isEqualTo(-EINVAL);
    assertThat(call(MAP, -1)).isEqualTo(-EINVAL);
    assertThat(call(CACHE_FLUSH, 1)).isEqualTo(-ENOSYS);
    assertThat(call(3, 1)).isEqualTo(-ENOSYS);
    assertThat(call(1 << 20, 1)).isEqualTo(-EINVAL);
    assertThat(tables.call(test.vcpu(0), new long[] {MAP, TestDomain.UNMAPPED, 1, 0, 0})).isEqualTo(-EFAULT);
    assertThat(tables.call(test.vcpu(0), new long[] {MAP, -4096, 0x7fffffff, 0, 0})).isEqualTo(-EFAULT);
    assertThat(tables.call(test.vcpu(0), new long[] {MAP, TestDomain.UNMAPPED, 0, 0, 0})).isZero();
    memory.writeLong(ARG, 2);
    assertThat(call(TRANSFER, 1)).isZero();
    assertThat(status(16)).isEqualTo(-9);
    memory.writeInt(ARG, SELF);
    memory.writeInt(ARG + 4, 1);
    memory.writeLong(ARG + 16, TestDomain.UNMAPPED);
    assertThat(call(SETUP, 1)).isZero();
    assertThat(status(8)).as("bad address").isEqualTo(-5);
  }
}

package org.xenolith.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;

/**
 * The machine's RAM: one zero-filled segment outside the Java heap, machine frame 0 first. Processors reach it through TLB entries by host
 * address ({@link Host}); everything else (hypervisor, devices, domain builder) uses the methods of this class, which take machine
 * addresses, check them, and tell the {@link CodeCache} of stores to frames that hold decoded code.
 */
public final class GuestMemory {
  /** Bytes in a frame. */
  public static final int FRAME_SIZE = 4096;

  /** log2 of {@link #FRAME_SIZE}. */
  public static final int FRAME_SHIFT = 12;

  /** So many changes of page tables are remembered one by one, a power of two. */
  static final int REMEMBERED_CHANGES = 64;

  private static final byte CODE = 1;
  private static final byte WRITTEN = 2;
  private static final byte HOLE = 4;

  private final MemorySegment segment;
  private final long hostBase;
  private final long frames;
  private final byte[] state;
  private CodeCache codeCache;

  /** How many changes of page tables were told of. */
  private long tableChanges;

  /** The last of them: {@code level << 9 | slot}. */
  private final short[] changedEntries = new short[REMEMBERED_CHANGES];

  /**
   * @param segment zero-filled, aligned to a frame, a whole number of frames, alive as long as this object is used
   */
  public GuestMemory(MemorySegment segment) {
    if (segment.byteSize() % FRAME_SIZE != 0 || segment.address() % FRAME_SIZE != 0) {
      throw new IllegalArgumentException("guest memory must be whole, aligned frames");
    }
    this.segment = segment;
    this.hostBase = segment.address();
    this.frames = segment.byteSize() / FRAME_SIZE;
    this.state = new byte[Math.toIntExact(frames)];
  }

  /** Number of frames: machine frames 0 to this, exclusive, are RAM, but for holes. */
  public long frames() {
    return frames;
  }

  /**
   * A hypervisor that sees every change of a page table tells of one: TLBs may hold what is no longer true.
   *
   * @param level of the table, of 64-bit entries: 1 where they map pages of 4 KiB
   * @param slot which entry, 0 to 511
   */
  public void tableChanged(int level, int slot) {
    changedEntries[(int) tableChanges & REMEMBERED_CHANGES - 1] = (short) (level << 9 | slot);
    tableChanges++;
  }

  /** How many changes were told of. */
  long tableChanges() {
    return tableChanges;
  }

  /** Change {@code n}, counted from 0 and one of the last {@link #REMEMBERED_CHANGES}: {@code level << 9 | slot}. */
  int changedEntry(long n) {
    return changedEntries[(int) n & REMEMBERED_CHANGES - 1];
  }

  /** Makes a hole: processors' accesses to these frames go to the {@link Bus}. To be called before any processor runs. */
  public void exclude(long firstMfn, long count) {
    for (long mfn = firstMfn; mfn < firstMfn + count; mfn++) {
      state[(int) mfn] |= HOLE;
    }
  }

  /** Whether {@code mfn} is RAM. */
  public boolean isRam(long mfn) {
    return mfn >= 0 && mfn < frames && (state[(int) mfn] & HOLE) == 0;
  }

  /** The host address of machine address {@code pa}, for {@link Host}. The caller has checked that it is RAM. */
  long host(long pa) {
    return hostBase + pa;
  }

  /** The machine address of a host address inside this memory. */
  long machine(long host) {
    return host - hostBase;
  }

  void attach(CodeCache cache) {
    codeCache = cache;
  }

  boolean hasCode(long mfn) {
    return (state[(int) mfn] & CODE) != 0;
  }

  void setCode(long mfn, boolean code) {
    int s = state[(int) mfn];
    state[(int) mfn] = (byte) (code ? s | CODE : s & ~CODE);
  }

  /** Notes that a frame may have been written, so that {@link #written} is true from now on. */
  void setWritten(long mfn) {
    state[(int) mfn] |= WRITTEN;
  }

  /** Whether a frame may have been written since it was made; all others are still zero and need not be hashed or dumped. */
  public boolean written(long mfn) {
    return (state[(int) mfn] & WRITTEN) != 0;
  }

  public byte readByte(long pa) {
    return segment.get(ValueLayout.JAVA_BYTE, pa);
  }

  public int readInt(long pa) {
    return segment.get(ValueLayout.JAVA_INT_UNALIGNED, pa);
  }

  public short readShort(long pa) {
    return segment.get(ValueLayout.JAVA_SHORT_UNALIGNED, pa);
  }

  public long readLong(long pa) {
    return segment.get(ValueLayout.JAVA_LONG_UNALIGNED, pa);
  }

  public void writeByte(long pa, byte value) {
    segment.set(ValueLayout.JAVA_BYTE, pa, value);
    stored(pa, 1);
  }

  public void writeShort(long pa, short value) {
    segment.set(ValueLayout.JAVA_SHORT_UNALIGNED, pa, value);
    stored(pa, 2);
  }

  public void writeInt(long pa, int value) {
    segment.set(ValueLayout.JAVA_INT_UNALIGNED, pa, value);
    stored(pa, 4);
  }

  public void writeLong(long pa, long value) {
    segment.set(ValueLayout.JAVA_LONG_UNALIGNED, pa, value);
    stored(pa, 8);
  }

  /** Copies {@code length} bytes at {@code pa} into an array. */
  public void read(long pa, byte[] into, int offset, int length) {
    MemorySegment.copy(segment, ValueLayout.JAVA_BYTE, pa, into, offset, length);
  }

  /** Copies {@code length} bytes of an array to {@code pa}. */
  public void write(long pa, byte[] from, int offset, int length) {
    MemorySegment.copy(from, offset, segment, ValueLayout.JAVA_BYTE, pa, length);
    stored(pa, length);
  }

  /** Copies a segment to {@code pa}. */
  public void write(long pa, MemorySegment from) {
    MemorySegment.copy(from, 0, segment, pa, from.byteSize());
    stored(pa, from.byteSize());
  }

  /** Fills {@code length} bytes at {@code pa} with {@code value}. */
  public void fill(long pa, long length, byte value) {
    segment.asSlice(pa, length).fill(value);
    stored(pa, length);
  }

  /** Copies one frame over another. */
  public void copyFrame(long fromMfn, long toMfn) {
    MemorySegment.copy(segment, fromMfn << FRAME_SHIFT, segment, toMfn << FRAME_SHIFT, FRAME_SIZE);
    stored(toMfn << FRAME_SHIFT, FRAME_SIZE);
  }

  /** A view of one frame, for hashing and dumps. */
  public MemorySegment frame(long mfn) {
    Objects.checkIndex(mfn, frames);
    return segment.asSlice(mfn << FRAME_SHIFT, FRAME_SIZE).asReadOnly();
  }

  private void stored(long pa, long length) {
    if (length == 0) {
      return;
    }
    long last = (pa + length - 1) >>> FRAME_SHIFT;
    for (long mfn = pa >>> FRAME_SHIFT; mfn <= last; mfn++) {
      state[(int) mfn] |= WRITTEN;
      if ((state[(int) mfn] & CODE) != 0) {
        codeCache.stored(pa, length);
      }
    }
  }
}

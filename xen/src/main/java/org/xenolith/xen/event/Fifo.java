package org.xenolith.xen.event;

import java.util.Arrays;
import java.util.function.LongConsumer;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.GuestFrames;
import org.xenolith.xen.Vcpu;

/**
 * The FIFO ABI: an event word for each port in pages of the guest, linked into one queue for each vcpu and priority whose heads are in the
 * vcpu's control block (public header event_channel.h, Xen's event_fifo.c, docs/misc/event-channels FIFO design). Everything read from the
 * guest's pages is taken as a hint: the tails of the queues, which decide what is written where, are kept here.
 */
final class Fifo implements Delivery {
  static final int PRIORITY_DEFAULT = 7, PRIORITY_MIN = 15;
  static final int LINK_BITS = 17;
  private static final int PENDING = 1 << 31, MASKED = 1 << 30, LINKED = 1 << 29, BUSY = 1 << 28, LINK_MASK = (1 << LINK_BITS) - 1;
  private static final int WORDS_PER_PAGE = GuestMemory.FRAME_SIZE / 4;

  /** struct evtchn_fifo_control_block: ready bits, a reserved word, 16 heads. */
  private static final int CONTROL_BLOCK_SIZE = 8 + 4 * (PRIORITY_MIN + 1), HEADS = 8;

  /** What is kept for a vcpu: its control block's address, or 0, and the queues' tails. */
  private static final class Queues {
    long controlPa;
    long controlMfn = -1;
    final int[] tail = new int[PRIORITY_MIN + 1];
  }

  private final Domain domain;
  private final EventChannels channels;
  private final GuestMemory memory;
  private final GuestFrames frames;
  private final Queues[] queues;
  private long[] arrayMfns = new long[4];
  private int arrayPages;

  Fifo(Domain domain, EventChannels channels, GuestFrames frames) {
    this.domain = domain;
    this.channels = channels;
    this.memory = domain.xen.memory;
    this.frames = frames;
    this.queues = new Queues[domain.vcpus.size()];
    Arrays.setAll(queues, v -> new Queues());
  }

  /** Whether an offset is one that EVTCHNOP_init_control takes. */
  static boolean validOffset(int offset) {
    return Integer.compareUnsigned(offset, GuestMemory.FRAME_SIZE - CONTROL_BLOCK_SIZE) <= 0 && (offset & 7) == 0;
  }

  /** Sets up a vcpu's control block; returns 0 or a negated error. */
  int mapControlBlock(Vcpu vcpu, long gfn, int offset) {
    Queues q = queues[vcpu.id];
    if (q.controlPa != 0) {
      return -Errno.EINVAL;
    }
    long mfn = frames.hold(gfn);
    if (mfn < 0) {
      return -Errno.EINVAL;
    }
    q.controlMfn = mfn;
    q.controlPa = (mfn << GuestMemory.FRAME_SHIFT) + offset;
    return 0;
  }

  /** Adds a page of event words and raises what was waiting for it; returns 0 or a negated error. */
  int addPage(long gfn) {
    if (arrayPages == capacity() / WORDS_PER_PAGE) {
      return -Errno.ENOSPC;
    }
    long mfn = frames.hold(gfn);
    if (mfn < 0) {
      return -Errno.EINVAL;
    }
    if (arrayPages == arrayMfns.length) {
      arrayMfns = Arrays.copyOf(arrayMfns, 2 * arrayPages);
    }
    int first = arrayPages * WORDS_PER_PAGE;
    arrayMfns[arrayPages++] = mfn;
    for (int port = first; port < first + WORDS_PER_PAGE && channels.valid(port); port++) {
      Channel channel = channels.channel(port);
      if (channel.pendingWithoutWord) {
        channel.pendingWithoutWord = false;
        channels.raise(channel);
      }
    }
    return 0;
  }

  /** Gives the guest's pages back. */
  void destroy() {
    forEachFrame(frames::release);
  }

  /** Tells of each page of the guest's that is held. */
  void forEachFrame(LongConsumer teller) {
    for (Queues q : queues) {
      if (q.controlMfn >= 0) {
        teller.accept(q.controlMfn);
      }
    }
    for (int page = 0; page < arrayPages; page++) {
      teller.accept(arrayMfns[page]);
    }
  }

  @Override
  public void setPending(Vcpu vcpu, Channel channel) {
    int port = channel.port;
    long pa = wordPa(port);
    if (pa < 0) {
      channel.pendingWithoutWord = true;
      return;
    }
    Queues q = queues[vcpu.id];
    if (q.controlPa == 0) {
      // Lost: the guest is to set up a vcpu's control block before it lets events come there.
      return;
    }
    int word = memory.readInt(pa);
    memory.writeInt(pa, word | PENDING);
    if ((word & (MASKED | LINKED)) == 0) {
      memory.writeInt(pa, word | PENDING | LINKED);
      link(vcpu, q, channel);
    }
    if ((word & PENDING) == 0) {
      domain.checkPollers(port);
    }
  }

  /** Appends a port whose word has just been marked as linked. */
  private void link(Vcpu vcpu, Queues q, Channel channel) {
    int port = channel.port;
    int priority = channel.priority;
    Queues old = queues[channel.lastVcpu];
    if (old.tail[channel.lastPriority] == port) {
      // It was the last there and the guest has taken it off: that queue is empty.
      old.tail[channel.lastPriority] = 0;
    }
    channel.lastVcpu = vcpu.id;
    channel.lastPriority = priority;
    int tail = q.tail[priority];
    q.tail[priority] = port;
    if (tail != 0 && setLink(tail, port)) {
      return;
    }
    memory.writeInt(q.controlPa + HEADS + 4L * priority, port);
    int ready = memory.readInt(q.controlPa);
    if ((ready & 1 << priority) == 0) {
      memory.writeInt(q.controlPa, ready | 1 << priority);
      vcpu.markEventsPending();
    }
  }

  /** Makes a port's word point to the next; false if the guest has already taken the port off its queue. */
  private boolean setLink(int port, int next) {
    long pa = wordPa(port);
    int word = memory.readInt(pa);
    if ((word & LINKED) == 0) {
      return false;
    }
    memory.writeInt(pa, word & ~(BUSY | LINK_MASK) | next);
    return true;
  }

  @Override
  public void clearPending(Channel channel) {
    channel.pendingWithoutWord = false;
    long pa = wordPa(channel.port);
    if (pa >= 0) {
      memory.writeInt(pa, memory.readInt(pa) & ~PENDING);
    }
  }

  @Override
  public void unmask(Vcpu vcpu, Channel channel) {
    long pa = wordPa(channel.port);
    if (pa < 0) {
      return;
    }
    int word = memory.readInt(pa) & ~MASKED;
    memory.writeInt(pa, word);
    if ((word & PENDING) != 0) {
      setPending(vcpu, channel);
    }
  }

  @Override
  public boolean isPending(Channel channel) {
    return has(channel, PENDING);
  }

  @Override
  public boolean isMasked(Channel channel) {
    return wordPa(channel.port) < 0 || has(channel, MASKED);
  }

  @Override
  public boolean isBusy(Channel channel) {
    return has(channel, LINKED);
  }

  private boolean has(Channel channel, int bit) {
    long pa = wordPa(channel.port);
    return pa >= 0 && (memory.readInt(pa) & bit) != 0;
  }

  @Override
  public int capacity() {
    return 1 << LINK_BITS;
  }

  /** The address of a port's event word, or -1 while its page is missing. */
  private long wordPa(int port) {
    int page = port / WORDS_PER_PAGE;
    return page >= arrayPages ? -1 : (arrayMfns[page] << GuestMemory.FRAME_SHIFT) + 4L * (port % WORDS_PER_PAGE);
  }
}

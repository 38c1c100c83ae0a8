package org.xenolith.xen.pv;

import static org.xenolith.isa.Operand.gpr;
import static org.xenolith.isa.Operand.mem;
import static org.xenolith.isa.Operand.xmm;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.ToIntFunction;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.Exit;
import org.xenolith.cpu.Fault;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.cpu.Mmu;
import org.xenolith.isa.Assembler;
import org.xenolith.isa.Mnemonic;
import org.xenolith.isa.Operand;
import org.xenolith.xen.Domain;
import org.xenolith.xen.GuestAccess;
import org.xenolith.xen.Hypercalls;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.grant.GrantTables;
import org.xenolith.xen.mm.FrameTable;
import org.xenolith.xen.mm.Pte;

/**
 * A hostile guest's next step: a hypercall of one of its vcpus with arguments that are random, half right, or were right a moment ago; a
 * store through its own mappings; or the rest of a long call, after what it is about has changed.
 */
final class RandomCalls {
  private static final int VCPUS = 3;

  /** Pages that meet in all roles. They are mapped at their own number when the guest starts. */
  private static final int FIRST_PFN = 0x1a0, PFNS = 20;

  /** Slots of tables: beside any, those that matter. */
  private static final int[] SLOTS = {0, 1, 2, 3, 5, 100, 255, 256, 260, 272, 511};

  private static final int MMU_UPDATE = 1, SET_GDT = 2, UPDATE_DESCRIPTOR = 10, MEMORY_OP = 12, UPDATE_VA_MAPPING = 14, GRANT_TABLE_OP = 20;
  private static final int UPDATE_VA_MAPPING_OTHERDOMAIN = 22;
  private static final int UNPIN_TABLE = 4, CLEAR_PAGE = 16;
  private static final long SELF = 0x7ff0, PREEMPTED = 1L << 31;

  /** Where structures of a call lie, those of a multicall's entries behind each other, and a vcpu's state. */
  private static final long ARGUMENTS = MicroGuest.DATA, ENTRY_SIZE = 0x400, CONTEXT = MicroGuest.DATA + 0x8000;

  private static final int MOST_MAPPINGS = 40;
  private static final int[] OTHER_CALLS = {
    MicroGuest.SET_TRAP_TABLE, MicroGuest.STACK_SWITCH, MicroGuest.FPU_TASKSWITCH, MicroGuest.SET_TIMER_OP, MicroGuest.XEN_VERSION,
    MicroGuest.VM_ASSIST, MicroGuest.SET_SEGMENT_BASE, MicroGuest.SCHED_OP, MicroGuest.CALLBACK_OP, MicroGuest.PHYSDEV_OP
  };

  /** A grant that the guest mapped, as far as it knows. */
  private record Mapping(int handle, long address, long frame) {}

  private final Random random;
  private final MicroGuest guest = new MicroGuest().vcpus(VCPUS).memory(4L << 20).goOnWithUnknown();
  private final List<Long> stores = new ArrayList<>();
  final Domain domain;
  final GrantTables grants;
  private final FrameTable frames;
  private final GuestMemory memory;
  private final long[] p2m;
  private final long root;
  private final List<Mapping> mappings = new ArrayList<>();
  private final long[] shared;

  /** Calls that are to come next, since each makes the following possible. */
  private final ArrayDeque<ToIntFunction<long[]>> plan = new ArrayDeque<>();

  private final long[][] rest = new long[VCPUS][];
  private final int[] restOf = new int[VCPUS];

  /** By call and operation, how many were made and how many of them accepted. */
  private final Map<String, long[]> made;

  RandomCalls(Random random, Map<String, long[]> made) {
    this.random = random;
    this.made = made;
    Assembler a = guest.a;
    Assembler.Label loop = a.here();
    a.jmp(loop);
    store(Mnemonic.MOV, mem(Assembler.RDI, 0), gpr(Assembler.RDX));
    store(Mnemonic.XCHG, mem(Assembler.RDI, 0), gpr(Assembler.RDX));
    store(Mnemonic.CMPXCHG, mem(Assembler.RDI, 0), gpr(Assembler.RDX));
    store(Mnemonic.OR, mem(Assembler.RDI, 0), gpr(Assembler.RDX));
    store(Mnemonic.AND, mem(Assembler.RDI, 0), gpr(Assembler.RDX));
    store(Mnemonic.BTS, mem(Assembler.RDI, 0), gpr(Assembler.RCX));
    store(Mnemonic.MOVDQU, mem(Assembler.RDI, 0), xmm(0));
    store(Mnemonic.PUSH, gpr(Assembler.RDX));
    stores.add(a.address());
    a.raw(0xf3, 0x48, 0xab); // rep stosq
    stores.add(a.address());
    a.raw(0x66, 0x89, 0x17); // mov [rdi], dx
    guest.run(1_000);
    domain = guest.machine().domain();
    frames = domain.xen.frames;
    memory = domain.xen.memory;
    p2m = guest.machine().built().p2m();
    root = domain.vcpus.getFirst().kernelRootMfn;
    grants = new GrantTables(domain);
    domain.xen.hypercalls.set(GRANT_TABLE_OP, grants::call);
    shared = new long[] {
      domain.sharedInfoMfn, guest.machine().built().consoleMfn(), guest.machine().built().storeMfn(), grants.frameToMap(0),
      grants.frameToMap(1)
    };
  }

  private void store(Mnemonic mnemonic, Operand... operands) {
    stores.add(guest.a.address());
    guest.a.emit(mnemonic, operands);
  }

  long consoleMfn() {
    return guest.machine().built().consoleMfn();
  }

  long storeMfn() {
    return guest.machine().built().storeMfn();
  }

  void close() {
    guest.close();
  }

  /** Takes the next step; false if the guest can take none any more, since it has no page tables that map its own memory. */
  boolean step() {
    Vcpu vcpu = domain.vcpus.get(random.nextInt(VCPUS));
    vcpu = vcpu.kernelRootMfn == 0 ? domain.vcpus.getFirst() : vcpu;
    if (!hasItsMemory(vcpu)) {
      return false;
    }
    domain.xen.current = vcpu;
    switch (random.nextInt(12)) {
      case 0 -> scribble();
      case 1, 2 -> storeAsGuest(vcpu);
      case 3 -> useLdt(vcpu);
      default -> call(vcpu);
    }
    if (random.nextInt(50) == 0) {
      domain.xen.clock.now += random.nextInt(2_000_000);
      domain.xen.events.runUntil(domain.xen.clock.now);
    }
    domain.shutdown = Domain.RUNNING;
    domain.shutdownCode = -1;
    domain.crashReason = null;
    domain.xen.unimplemented = null;
    return true;
  }

  /** Puts a vcpu into its kernel, on a root that maps the guest's own memory: a guest that has lost that would stand still. */
  private boolean hasItsMemory(Vcpu vcpu) {
    vcpu.kernelMode = true;
    vcpu.cpu.userMode = false;
    vcpu.cpu.cr3 = vcpu.kernelRootMfn << GuestMemory.FRAME_SHIFT;
    vcpu.cpu.refresh();
    byte[] aByte = new byte[1];
    return GuestAccess.copyIn(vcpu.cpu, ARGUMENTS, aByte, 0, 1) && GuestAccess.copyOut(vcpu.cpu, ARGUMENTS, aByte, 0, 1)
        || domain.xen.mmu.roots().setKernelRoot(vcpu, root) == 0 && GuestAccess.copyOut(vcpu.cpu, ARGUMENTS, aByte, 0, 1);
  }

  // ---- Stores ----

  /** Words in pages that Xen reads: grant entries, rings, event words. */
  private void scribble() {
    long mfn = random.nextInt(3) == 0 ? p2m[pfn()] : shared[random.nextInt(shared.length)];
    if (frames.owner(mfn) != domain.id || frames.type(mfn) != FrameTable.WRITABLE) {
      // No mapping that the guest may write to.
      return;
    }
    for (int n = random.nextInt(4); n >= 0; n--) {
      memory.writeInt((mfn << 12) + 4L * random.nextInt(1024), random.nextInt(3) == 0 ? random.nextInt() : random.nextInt(64));
    }
    grantSomething();
  }

  /** Fills an entry of the grant table, in one format or the other, mostly for the domain itself. */
  private void grantSomething() {
    long table = grants.frameToMap(0);
    if (table < 0) {
      return;
    }
    int ref = 8 + random.nextInt(8);
    int domid = random.nextInt(8) == 0 ? random.nextInt(3) : domain.id;
    int flags = random.nextInt(6) == 0 ? random.nextInt(0x200) : 1 | random.nextInt(4) / 3 << 2;
    if (random.nextBoolean()) {
      memory.writeLong((table << 12) + 8L * ref, flags | (long) domid << 16 | mfn() << 32);
    } else {
      memory.writeLong((table << 12) + 16L * ref, flags | (long) domid << 16 | (long) random.nextInt(4096) << 32);
      memory.writeLong((table << 12) + 16L * ref + 8, mfn());
    }
  }

  /** One store of the guest's kernel through its own mappings, carried out by Xen where it hits a page table. */
  private void storeAsGuest(Vcpu vcpu) {
    Cpu cpu = vcpu.cpu;
    Selectors.flat(cpu, false);
    long va = ((long) pfn() << 12) + 8L * slot();
    cpu.r[Cpu.RDI] = va + (random.nextInt(30) == 0 ? random.nextInt(8) : 0);
    cpu.r[Cpu.RSP] = va + 8;
    cpu.r[Cpu.RDX] = entry();
    cpu.r[Cpu.RAX] = random.nextBoolean() ? 0 : entry();
    cpu.r[Cpu.RCX] = random.nextInt(64);
    cpu.rip = stores.get(random.nextInt(stores.size()));
    Exit exit = cpu.run(cpu.clock.now + 1);
    int store = Fault.PF_PRESENT | Fault.PF_WRITE;
    if (exit instanceof Exit.Exception e && e.vector() == Fault.PF && (e.errorCode() & store) == store) {
      count("store to a read-only page", domain.xen.mmu.writableTables().emulate(vcpu, e.address()) == null ? -1 : 0);
    } else {
      count("store", exit instanceof Exit.Budget ? 0 : -1);
    }
    vcpu.protectionFault = false;
  }

  /** Uses a selector of the LDT, so that Xen takes the page into use. */
  private void useLdt(Vcpu vcpu) {
    if (vcpu.ldtEntries != 0) {
      int page = random.nextInt((vcpu.ldtEntries + 511) / 512);
      count("use of the LDT", domain.xen.mmu.descriptors().ldtFrame(vcpu, page) < 0 ? -1 : 0);
    }
    vcpu.protectionFault = false;
  }

  // ---- Calls ----

  private void call(Vcpu vcpu) {
    int number;
    long[] args;
    boolean continues = rest[vcpu.id] != null && random.nextInt(3) > 0;
    if (continues) {
      number = restOf[vcpu.id];
      args = rest[vcpu.id];
      rest[vcpu.id] = null;
    } else {
      args = new long[6];
      if (plan.isEmpty() && random.nextInt(12) == 0) {
        planTable(vcpu);
      }
      ToIntFunction<long[]> planned = random.nextInt(5) > 0 ? plan.poll() : null;
      number = planned != null ? planned.applyAsInt(args) : random.nextInt(12) == 0 ? multicall(args) : one(args, ARGUMENTS);
    }
    long first = args[0];
    long result = domain.xen.hypercalls.call(vcpu, number, args);
    if (vcpu.rest != null) {
      rest[vcpu.id] = Arrays.copyOf(vcpu.rest, 6);
      restOf[vcpu.id] = number;
      vcpu.rest = null;
    }
    vcpu.protectionFault = false;
    boolean hasOperation = switch (number) {
      case MEMORY_OP, GRANT_TABLE_OP, MicroGuest.VCPU_OP, MicroGuest.EVENT_CHANNEL_OP, MicroGuest.SCHED_OP -> true;
      default -> false;
    };
    String name = Hypercalls.name(number) + (hasOperation ? " " + (first & 63) : "");
    if (number == MicroGuest.MMUEXT_OP) {
      name += " " + word(0);
    }
    if (number == GRANT_TABLE_OP && result == 0) {
      result = tookGrant((int) first);
    }
    if (number == MEMORY_OP) {
      tookMemory((int) first & 63);
    }
    count(name, result);
  }

  private void count(String name, long result) {
    long[] counts = made.computeIfAbsent(name, n -> new long[2]);
    counts[0]++;
    counts[1] += result >= 0 ? 1 : 0;
  }

  /** Plans to make a page a table: takes its writable mappings away, empties it, pins it, fills some entries, and perhaps uses it. */
  private void planTable(Vcpu vcpu) {
    long mfn = p2m[pfn()];
    int level = 1 + random.nextInt(4);
    for (int pfn = FIRST_PFN; pfn < FIRST_PFN + PFNS; pfn++) {
      long va = (long) pfn << 12;
      if (vcpu.cpu.mmu.translate(va, Mmu.WRITE) >>> 12 == mfn) {
        plan.add(args -> call(args, UPDATE_VA_MAPPING, va, Pte.of(mfn, 0x61), 2));
      }
    }
    plan.add(args -> mmuextOp(args, CLEAR_PAGE, mfn, 0));
    plan.add(args -> mmuextOp(args, level - 1, mfn, 0));
    for (int n = random.nextInt(4); n > 0; n--) {
      plan.add(args -> {
        put(0, mfn << 12 | (long) slot() << 3);
        put(8, level == 1 ? entry() : Pte.of(frameOfType(level - 1), random.nextBoolean() ? 0x67 : 0x65));
        return call(args, MMU_UPDATE, ARGUMENTS, 1, 0, SELF);
      });
    }
    if (random.nextInt(3) == 0) {
      plan.add(args -> mmuextOp(args, UNPIN_TABLE, mfn, 0));
    }
  }

  private long frameOfType(int type) {
    long mfn = p2m[pfn()];
    for (int tries = 0; tries < PFNS && frames.type(mfn) != type; tries++) {
      mfn = p2m[pfn()];
    }
    return mfn;
  }

  private static int call(long[] args, int number, long... arguments) {
    System.arraycopy(arguments, 0, args, 0, arguments.length);
    return number;
  }

  private int mmuextOp(long[] args, int command, long first, long second) {
    put(0, command);
    put(8, first);
    put(16, second);
    return call(args, MicroGuest.MMUEXT_OP, ARGUMENTS, 1, 0, SELF);
  }

  private int multicall(long[] args) {
    int entries = 1 + random.nextInt(4);
    for (int n = 0; n < entries; n++) {
      long[] inner = new long[6];
      int number = one(inner, ARGUMENTS + ENTRY_SIZE * (n + 1));
      put(0x3000 + 64L * n, number);
      for (int k = 0; k < 6; k++) {
        put(0x3008 + 64L * n + 8 * k, inner[k]);
      }
    }
    args[0] = ARGUMENTS + 0x3000;
    args[1] = entries;
    return MicroGuest.MULTICALL;
  }

  /** Makes one call, with its structures at {@code at}. */
  private int one(long[] args, long at) {
    long w = at - ARGUMENTS;
    args[0] = at;
    args[3] = random.nextInt(30) == 0 ? random.nextInt(1 << 16) : SELF;
    return switch (random.nextInt(27)) {
      case 0, 1, 2 -> mmuUpdate(args, at, w);
      case 3, 4, 5 -> mmuextOp(args, at, w);
      case 6, 7, 8 -> updateVaMapping(args);
      case 9 -> setGdt(args, w);
      case 10 -> updateDescriptor(args);
      case 11, 12, 13 -> memoryOp(args, at, w);
      case 14, 15, 16, 17, 18 -> grantOp(args, at, w);
      case 19, 20, 21 -> eventOp(args, at, w);
      case 22, 23 -> vcpuOp(args, at, w);
      case 24, 25 -> debugRegister(args);
      default -> other(args, at, w);
    };
  }

  private int mmuUpdate(long[] args, long at, long w) {
    int count = 1 + random.nextInt(4);
    for (int n = 0; n < count; n++) {
      int type = random.nextInt(6) == 0 ? random.nextInt(8) : 0;
      put(w + 16 * n, mfn() << 12 | (long) slot() << 3 | type);
      put(w + 16 * n + 8, entry());
    }
    args[1] = count | (random.nextInt(20) == 0 ? PREEMPTED : 0);
    args[2] = random.nextInt(4) == 0 ? at + 512 : 0;
    return MMU_UPDATE;
  }

  private int mmuextOp(long[] args, long at, long w) {
    int command = random.nextInt(24);
    put(w, command == 5 && random.nextInt(4) > 0 ? 15 : command);
    boolean ldt = command == 13;
    put(w + 8, random.nextInt(8) == 0 ? random.nextLong() : ldt ? (long) pfn() << 12 : mfn());
    put(w + 16, random.nextInt(3) == 0 ? at : ldt ? random.nextInt(2000) : mfn());
    args[1] = 1;
    return MicroGuest.MMUEXT_OP;
  }

  private int updateVaMapping(long[] args) {
    int pfn = pfn();
    args[0] = (long) pfn << 12;
    // Often with no right to write, so that pages become free for other roles.
    args[1] = random.nextBoolean() ? Pte.of(p2m[pfn], random.nextInt(4) == 0 ? 0x63 : 0x61) : entry();
    args[2] = random.nextInt(8);
    return random.nextInt(8) == 0 ? UPDATE_VA_MAPPING_OTHERDOMAIN : UPDATE_VA_MAPPING;
  }

  private int setGdt(long[] args, long w) {
    put(w, mfn());
    put(w + 8, mfn());
    args[1] = random.nextInt(3) == 0 ? 0 : random.nextInt(1100);
    return SET_GDT;
  }

  private int updateDescriptor(long[] args) {
    args[0] = mfn() << 12 | (long) random.nextInt(512) << 3;
    args[1] = random.nextBoolean() ? 0x00cf_f300_0000_ffffL : random.nextLong();
    return UPDATE_DESCRIPTOR;
  }

  private int debugRegister(long[] args) {
    boolean set = random.nextInt(3) > 0;
    args[0] = random.nextInt(10);
    args[1] = random.nextInt(4) == 0 ? random.nextLong() : random.nextInt(1 << 12) | (long) random.nextInt(16) << 16;
    return set ? MicroGuest.SET_DEBUGREG : MicroGuest.GET_DEBUGREG;
  }

  /** A call that this is less about, with anything. */
  private int other(long[] args, long at, long w) {
    int number = OTHER_CALLS[random.nextInt(OTHER_CALLS.length)];
    for (int n = 0; n < 4; n++) {
      put(w + 8 * n, random.nextBoolean() ? random.nextInt(8) : random.nextLong());
    }
    args[0] = random.nextInt(8);
    args[1] = random.nextBoolean() ? at : random.nextInt(8);
    args[2] = random.nextBoolean() ? at : random.nextInt(8);
    // A trap table's list ends somewhere.
    args[0] = number == MicroGuest.SET_TRAP_TABLE ? at : args[0];
    put(w + 24, 0);
    return number;
  }

  // ---- Memory ----

  private int memoryOp(long[] args, long at, long w) {
    int operation = new int[] {0, 1, 1, 6, 6, 6, 11, 11, random.nextInt(32)}[random.nextInt(9)];
    int pfn = pfn();
    int order = random.nextInt(20) == 0 ? random.nextInt(4) : 0;
    // struct xen_memory_reservation: extent_start, nr_extents, extent_order and flags, domid.
    put(w, operation == 0 && random.nextInt(4) == 0 ? 0 : at + 256);
    put(w + 8, 1);
    put(w + 16, order);
    put(w + 24, SELF);
    put(w + 256, operation == 6 ? pfn : random.nextInt(6) == 0 ? mfn() : p2m[pfn]);
    if (operation == 11) {
      put(w + 32, at + 320);
      put(w + 40, 1);
      put(w + 48, random.nextInt(10) == 0 ? random.nextInt(3) : order);
      put(w + 56, SELF);
      put(w + 64, 0);
      put(w + 320, pfn);
    }
    args[0] = operation | (random.nextInt(40) == 0 ? 64L * random.nextInt(4) : 0);
    args[1] = at;
    return MEMORY_OP;
  }

  /** Notes the frames that the last call gave the guest. */
  private void tookMemory(int operation) {
    long list = operation == 11 ? 320 : 256;
    long mfn = word(list);
    if (frames.valid(mfn) && mfn > 256 && frames.owner(mfn) == domain.id && (operation == 11 || operation == 6)) {
      long pfn = frames.pfn(mfn);
      if (pfn >= FIRST_PFN && pfn < FIRST_PFN + PFNS) {
        p2m[(int) pfn] = mfn;
      }
    }
  }

  // ---- Grants ----

  private int grantOp(long[] args, long at, long w) {
    int operation = mappings.size() > MOST_MAPPINGS ? 1 : new int[] {0, 0, 0, 1, 1, 2, 5, 5, 6, 7, 8, 9, 10, 11, 12, 3}[random.nextInt(16)];
    for (int n = 0; n < 40; n += 8) {
      put(w + n, 0);
    }
    switch (operation) {
      case 0 -> {
        int usual = 2 | random.nextInt(2) << 2 | random.nextInt(4) / 3;
        int flags = random.nextInt(4) == 0 ? random.nextInt(32) | random.nextInt(8) << 16 : usual;
        boolean entry = (flags & 16) != 0;
        put(w, entry ? mfn() << 12 | (long) slot() << 3 : (long) pfn() << 12);
        put(w + 8, flags | (long) (8 + random.nextInt(8)) << 32);
        put(w + 16, random.nextInt(12) == 0 ? random.nextInt(4) : domain.id);
      }
      case 1, 7 -> unmap(operation, w);
      case 2, 6 -> {
        put(w, SELF | (long) random.nextInt(random.nextInt(10) == 0 ? 100 : 4) << 32);
        put(w + 16, at + 256);
      }
      case 5 -> {
        boolean[] isRef = {random.nextBoolean(), random.nextBoolean()};
        for (int end = 0; end < 2; end++) {
          put(w + 16L * end, isRef[end] ? 8 + random.nextInt(8) : mfn());
          put(w + 16L * end + 8, (isRef[end] ? domain.id : SELF) | (long) random.nextInt(2048) << 16);
        }
        put(w + 32, random.nextInt(2200) | (isRef[0] ? 1 << 16 : 0) | (isRef[1] ? 2 << 16 : 0));
      }
      case 8 -> put(w, 1 + random.nextInt(2));
      case 9 -> {
        put(w, random.nextInt(3) | SELF << 32);
        put(w + 8, at + 256);
      }
      case 11 -> put(w, 8 + random.nextInt(8) | (long) (8 + random.nextInt(8)) << 32);
      default -> put(w, random.nextLong());
    }
    args[0] = operation;
    args[1] = at;
    args[2] = operation == 8 || random.nextInt(20) > 0 ? 1 : random.nextInt(3);
    return GRANT_TABLE_OP;
  }

  private void unmap(int operation, long w) {
    if (mappings.isEmpty() || random.nextInt(8) == 0) {
      put(w, (long) pfn() << 12);
      put(w + 16, random.nextInt(MOST_MAPPINGS));
      return;
    }
    Mapping mapping = mappings.get(random.nextInt(mappings.size()));
    put(w, random.nextInt(6) == 0 ? (long) pfn() << 12 : mapping.address);
    put(w + 8, operation == 7 ? (long) pfn() << 12 : random.nextInt(4) == 0 ? 0 : mapping.frame << 12);
    put(w + 16, mapping.handle);
  }

  /** Notes what the last call mapped, unmapped or made known; the status of its only operation. */
  private long tookGrant(int operation) {
    switch (operation) {
      case 0 -> {
        short status = (short) (word(16) >>> 16);
        if (status == 0) {
          mappings.add(new Mapping((int) (word(16) >>> 32), word(0), word(24) >>> 12));
        }
        return status;
      }
      case 1, 7 -> {
        short status = (short) (word(16) >>> 32);
        int handle = (int) word(16);
        // A handle that is left behind, since its entry is gone, is forgotten at last.
        if (status == 0 || random.nextInt(8) == 0) {
          mappings.removeIf(m -> m.handle == handle);
        }
        return status;
      }
      case 2 -> {
        long mfn = word(256);
        if (frames.valid(mfn) && frames.owner(mfn) == domain.id) {
          shared[3] = mfn;
        }
        return 0;
      }
      case 9 -> {
        long mfn = word(256);
        if (frames.valid(mfn) && frames.owner(mfn) == domain.id) {
          shared[4] = mfn;
        }
        return 0;
      }
      case 5 -> {
        return (short) (word(32) >>> 32);
      }
      default -> {
        return 0;
      }
    }
  }

  // ---- Events and vcpus ----

  private int eventOp(long[] args, long at, long w) {
    // A reset would leave little to do.
    int operation = random.nextInt(60) == 0 ? 10 : new int[] {0, 1, 2, 3, 4, 4, 4, 5, 6, 7, 8, 9, 11, 12, 13}[random.nextInt(15)];
    put(w, random.nextInt(8) | (long) random.nextInt(24) << 32);
    put(w + 8, random.nextInt(4));
    put(w + 16, random.nextInt(4));
    switch (operation) {
      case 0 -> put(w, (random.nextBoolean() ? 0 : SELF) | (long) random.nextInt(24) << 32);
      case 1 -> put(w, random.nextInt(24) | (long) random.nextInt(4) << 32);
      case 3, 4, 9, 13 -> put(w, random.nextInt(24) | (long) random.nextInt(17) << 32);
      case 5 -> put(w, SELF | (long) random.nextInt(24) << 32);
      case 6 -> put(w, SELF | (random.nextBoolean() ? SELF : random.nextInt(3)) << 16);
      case 10 -> put(w, SELF);
      case 11 -> {
        put(w, mfn());
        put(w + 8, 8 * random.nextInt(512) | (long) random.nextInt(4) << 32);
      }
      case 12 -> put(w, mfn());
      default -> {
        // As filled above.
      }
    }
    args[0] = operation;
    args[1] = at;
    return MicroGuest.EVENT_CHANNEL_OP;
  }

  private int vcpuOp(long[] args, long at, long w) {
    int operation = random.nextInt(17);
    args[0] = operation;
    args[1] = random.nextInt(30) == 0 ? random.nextInt() : random.nextInt(VCPUS);
    args[2] = at;
    switch (operation) {
      case 0 -> {
        context();
        args[2] = CONTEXT;
      }
      case 10 -> {
        put(w, mfn());
        put(w + 8, 8 * random.nextInt(512));
      }
      case 5, 13 -> put(w, ((long) pfn() << 12) + 8 * random.nextInt(512));
      case 11 -> args[2] = random.nextInt(4);
      default -> {
        put(w, random.nextBoolean() ? 1_000_000 + random.nextInt(5_000_000) : domain.xen.clock.now + random.nextInt(3_000_000));
        put(w + 8, random.nextInt(2));
      }
    }
    return MicroGuest.VCPU_OP;
  }

  /** A vcpu's state, of which mostly all but the roots and descriptor tables is in order (struct vcpu_guest_context). */
  private void context() {
    byte[] zeros = new byte[5168];
    long at = CONTEXT - ARGUMENTS;
    for (int n = 0; n < zeros.length; n += 8) {
      put(at + n, 0);
    }
    put(at + 512, 4 | random.nextInt(2) << 5);
    int ldtEntries = random.nextInt(4) == 0 ? random.nextInt(1000) : 0;
    put(at + 4816, ldtEntries == 0 ? 0 : (long) pfn() << 12);
    put(at + 4824, ldtEntries);
    int gdtEntries = random.nextInt(3) == 0 ? random.nextInt(1024) : 0;
    put(at + 4832, mfn());
    put(at + 4840, mfn());
    put(at + 4960, gdtEntries);
    put(at + 4984 + 8, random.nextInt(3) == 0 ? mfn() << 12 : 0);
    put(at + 4984 + 24, (random.nextInt(3) == 0 ? mfn() : root) << 12);
    if (random.nextInt(4) == 0) {
      put(at + 8 * random.nextInt(zeros.length / 8), random.nextLong() >> random.nextInt(40));
    }
  }

  // ---- Values ----

  /** Writes 8 bytes at an offset from {@link #ARGUMENTS}. */
  private void put(long offset, long value) {
    memory.writeLong(pa(ARGUMENTS + offset), value);
  }

  private long word(long offset) {
    return memory.readLong(pa(ARGUMENTS + offset));
  }

  private long pa(long va) {
    return (p2m[(int) (va >>> 12)] << 12) + (va & 0xfff);
  }

  private int pfn() {
    return FIRST_PFN + random.nextInt(PFNS);
  }

  private int slot() {
    return random.nextInt(3) == 0 ? pfn() & 511 : SLOTS[random.nextInt(SLOTS.length)];
  }

  /** Mostly pages of its own that it can do without, sometimes others. */
  private long mfn() {
    return switch (random.nextInt(30)) {
      case 0 -> random.nextInt(300);
      case 1 -> frames.frames() - 1 + random.nextInt(3);
      case 2 -> random.nextLong() >>> 20;
      case 3 -> shared[random.nextInt(shared.length)];
      default -> p2m[pfn()];
    };
  }

  private long entry() {
    long flags = new long[] {0x61, 0x63, 0x67, 0x65, 0}[random.nextInt(5)];
    if (random.nextInt(20) == 0) {
      flags |= 1L << random.nextInt(12) | 1L << 52 + random.nextInt(12);
    }
    return random.nextInt(5) == 0 ? 0 : Pte.of(mfn(), flags);
  }

  /** A line for each call and operation: how many were made, how many accepted. */
  static String table(Map<String, long[]> made) {
    StringBuilder lines = new StringBuilder();
    new TreeMap<>(made).forEach((name, counts) -> lines.append("%-36s %9d %9d%n".formatted(name, counts[0], counts[1])));
    return lines.toString();
  }
}

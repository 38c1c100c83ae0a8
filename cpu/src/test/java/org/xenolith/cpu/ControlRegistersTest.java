package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.xenolith.isa.CpuMode;
import org.xenolith.isa.Instruction;

/** MOV to and from control registers, and what they refuse. */
class ControlRegistersTest {
  private static final String TO_CR0 = "0f 22 c0", TO_CR3 = "0f 22 d8", TO_CR4 = "0f 22 e0", TO_CR8 = "44 0f 22 c0"; // mov crN,rax
  private static final Exit GP = new Exit.Exception(Fault.GP, 0, 0), UD = new Exit.Exception(Fault.UD, Fault.NO_ERROR_CODE, 0);

  private final Machine machine = new Machine().privilege(0);
  private final Cpu cpu = machine.cpu;

  @BeforeEach
  void physicalAddressExtensions() {
    cpu.cr4 |= Cpu.CR4_PAE;
  }

  private void refuses(String code, long rax) {
    cpu.r[Cpu.RAX] = rax;
    cpu.rip = Machine.CODE;
    assertThat(machine.code(code).fault()).isEqualTo(GP);
    assertThat(cpu.rip).isEqualTo(Machine.CODE);
  }

  private void takes(String code, long rax) {
    cpu.r[Cpu.RAX] = rax;
    cpu.rip = Machine.CODE;
    machine.code(code).step(1);
  }

  @ParameterizedTest
  @ValueSource(strings = {
    "0f 22 c0", "0f 20 c0", "0f 20 d8", "0f 06", "0f 01 f0", "0f 01 3e", "66 0f 38 82 0f", "0f 30", "0f 32", "0f 08", "0f 09"
  })
  void belongToPrivilegeLevelZero(String code) {
    cpu.r[Cpu.RSI] = Machine.DATA;
    machine.privilege(3).code(code);
    assertThat(machine.fault()).isEqualTo(GP);
  }

  @ParameterizedTest
  @ValueSource(strings = {"0f 22 c8", "0f 20 e8", "44 0f 20 c8", "44 0f 22 f8"}) // cr1, cr5, cr9, cr15
  void whatIsNoRegisterIsUndefinedAtEveryPrivilege(String code) {
    assertThat(machine.code(code).fault()).isEqualTo(UD);
    machine.privilege(3);
    assertThat(machine.fault()).isEqualTo(UD);
  }

  @Test
  void cr0RefusesWhatContradictsItself() {
    refuses(TO_CR0, 0x1_0000_0000L | cpu.cr0);
    refuses(TO_CR0, cpu.cr0 & ~Cpu.CR0_PE);
    refuses(TO_CR0, cpu.cr0 | 1 << 29);
    // Paging ends only in compatibility mode.
    refuses(TO_CR0, cpu.cr0 & ~Cpu.CR0_PG);
    takes(TO_CR0, cpu.cr0 | Cpu.CR0_TS | 1 << 28);
    assertThat(cpu.cr0 & (Cpu.CR0_TS | 1 << 28 | 0x10)).isEqualTo(Cpu.CR0_TS | 0x10);
  }

  @Test
  void theLongWayIntoLongModeAndBack() {
    machine.privilege(0).compatibility();
    cpu.segmentAccess[Instruction.CS] = 0xc09b;
    cpu.cr0 = Cpu.CR0_PE;
    cpu.cr4 = 0;
    cpu.efer = Cpu.EFER_LME | Cpu.EFER_NXE;
    cpu.refresh();
    assertThat(cpu.mode).isEqualTo(CpuMode.COMPAT32);
    refuses(TO_CR0, Cpu.CR0_PE | Cpu.CR0_PG);
    takes(TO_CR4, Cpu.CR4_PAE);
    takes(TO_CR0, Cpu.CR0_PE | Cpu.CR0_PG);
    assertThat(cpu.efer & Cpu.EFER_LMA).isNotZero();
    refuses(TO_CR4, 0);
    takes(TO_CR0, Cpu.CR0_PE);
    assertThat(cpu.efer & Cpu.EFER_LMA).isZero();
  }

  @Test
  void cr3KeepsItsUpperBitsFree() {
    refuses(TO_CR3, 1L << 40);
    refuses(TO_CR3, 1L << 63);
    takes(TO_CR3, Machine.ROOT | 0x18);
    assertThat(cpu.cr3).isEqualTo(Machine.ROOT | 0x18);
  }

  @Test
  void loadingTheRootForgetsItsTranslations() {
    takes("48 8b 06", 0); // mov rax,[rsi], at address 0
    machine.memory.writeLong(Machine.entry(0), Machine.DATA | Machine.FLAGS);
    machine.memory.writeLong(Machine.DATA, 77);
    takes("48 8b 06", 0);
    assertThat(cpu.r[Cpu.RAX]).isZero();
    takes(TO_CR3, Machine.ROOT);
    takes("48 8b 06", 0);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(77);
  }

  @Test
  void cr4HasTheBitsOfWhatIsOffered() {
    refuses(TO_CR4, cpu.cr4 & ~Cpu.CR4_PAE);
    refuses(TO_CR4, cpu.cr4 | 1 << 12);
    refuses(TO_CR4, cpu.cr4 | 1 << 22);
    refuses(TO_CR4, cpu.cr4 | 1L << 40);
    takes(TO_CR4, cpu.cr4 | Cpu.CR4_SMEP & 0 | Cpu.CR4_SMAP | Cpu.CR4_PGE | Cpu.CR4_MCE | Cpu.CR4_FSGSBASE);
    assertThat(cpu.cr4 & Cpu.CR4_FSGSBASE).isNotZero();
  }

  @Test
  void processContextsNeedContextZeroAtFirst() {
    cpu.cr3 = Machine.ROOT | 0x18;
    refuses(TO_CR4, cpu.cr4 | Cpu.CR4_PCIDE);
    cpu.cr3 = Machine.ROOT;
    takes(TO_CR4, cpu.cr4 | Cpu.CR4_PCIDE);
    takes(TO_CR3, Machine.ROOT | 5);
    assertThat(cpu.cr3).isEqualTo(Machine.ROOT | 5);
  }

  @Test
  void processContextsKeepTheirTranslationsWhenAsked() {
    takes(TO_CR4, cpu.cr4 | Cpu.CR4_PCIDE);
    takes(TO_CR3, Machine.ROOT | 1);
    takes("48 8b 06", 0);
    machine.memory.writeLong(Machine.entry(0), Machine.DATA | Machine.FLAGS);
    machine.memory.writeLong(Machine.DATA, 77);
    takes(TO_CR3, Machine.ROOT | 2);
    takes("48 8b 06", 0);
    assertThat(cpu.r[Cpu.RAX]).as("another context knows nothing of the first").isEqualTo(77);
    takes(TO_CR3, 1L << 63 | Machine.ROOT | 1);
    assertThat(cpu.cr3).isEqualTo(Machine.ROOT | 1);
    takes("48 8b 06", 0);
    assertThat(cpu.r[Cpu.RAX]).as("kept").isZero();
    takes(TO_CR3, Machine.ROOT | 1);
    takes("48 8b 06", 0);
    assertThat(cpu.r[Cpu.RAX]).as("forgotten").isEqualTo(77);
  }

  @Test
  void invpcidForgetsByItsType() {
    takes(TO_CR4, cpu.cr4 | Cpu.CR4_PCIDE);
    cpu.r[Cpu.RDI] = Machine.STACK;
    String invpcid = "66 0f 38 82 0f"; // invpcid rcx,[rdi]
    for (int type = 0; type <= 3; type++) {
      machine.memory.writeLong(Machine.entry(0), Machine.FLAGS);
      takes(TO_CR3, Machine.ROOT | 1);
      takes("48 8b 06", 0);
      machine.memory.writeLong(Machine.entry(0), Machine.DATA | Machine.FLAGS);
      machine.memory.writeLong(Machine.DATA, 77);
      machine.memory.writeLong(Machine.STACK, 1);
      cpu.r[Cpu.RCX] = type;
      takes(invpcid, 0);
      takes("48 8b 06", 0);
      assertThat(cpu.r[Cpu.RAX]).as("type " + type).isEqualTo(77);
    }
    cpu.r[Cpu.RCX] = 4;
    refuses(invpcid, 0);
    cpu.r[Cpu.RCX] = 0;
    machine.memory.writeLong(Machine.STACK, 0x1000);
    refuses(invpcid, 0);
    machine.memory.writeLong(Machine.STACK, 1);
    machine.memory.writeLong(Machine.STACK + 8, 1L << 47);
    refuses(invpcid, 0);
    takes(TO_CR3, Machine.ROOT);
    takes(TO_CR4, cpu.cr4 & ~Cpu.CR4_PCIDE);
    cpu.r[Cpu.RCX] = 1;
    refuses(invpcid, 0);
  }

  @Test
  void invlpgForgetsAllOfALargePage() {
    machine.memory.writeLong(Machine.LEVEL2 + 8 * 2, Machine.FLAGS | Mmu.LARGE);
    machine.memory.writeLong(Machine.DATA + 0x1000, 77);
    cpu.r[Cpu.RSI] = 0x40_1000;
    takes("48 8b 06", 0);
    assertThat(cpu.r[Cpu.RAX]).as("through the first two megabytes").isEqualTo(machine.memory.readLong(Machine.ROOT));
    machine.memory.writeLong(Machine.LEVEL2 + 8 * 2, Machine.DATA | Machine.FLAGS | Mmu.LARGE);
    cpu.r[Cpu.RSI] = 0x5f_f000;
    takes("0f 01 3e", 0); // invlpg [rsi]
    cpu.r[Cpu.RSI] = 0x40_1000;
    takes("48 8b 06", 0);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(77);
  }

  @Test
  void writeProtectionHoldsAtOnceAndForgetsNothing() {
    cpu.r[Cpu.RSI] = Machine.DATA;
    machine.map(Machine.DATA, Machine.DATA | Machine.FLAGS & ~Mmu.WRITABLE);
    String store = "48 89 06"; // mov [rsi],rax
    for (int n = 0; n < 3; n++) {
      takes(TO_CR0, cpu.cr0 & ~Cpu.CR0_WP);
      takes(store, 77 + n);
      assertThat(machine.memory.readLong(Machine.DATA)).isEqualTo(77 + n);
      takes(TO_CR0, cpu.cr0 | Cpu.CR0_WP);
      cpu.rip = Machine.CODE;
      assertThat(machine.code(store).fault()).isEqualTo(new Exit.Exception(Fault.PF, Fault.PF_PRESENT | Fault.PF_WRITE, Machine.DATA));
    }
    assertThat(cpu.mmu.flushes).isZero();
  }

  @Test
  void theTaskSwitchedFlagIsClearedByClts() {
    cpu.cr0 |= Cpu.CR0_TS;
    takes("0f 06", 0);
    assertThat(cpu.cr0 & Cpu.CR0_TS).isZero();
    takes("66 0f ef c0", 0); // pxor xmm0,xmm0
  }

  @Test
  void lmswSetsProtectionAndDoesNotEndIt() {
    takes("0f 01 f0", 0xffff_fff8L);
    assertThat(cpu.cr0 & 0xf).isEqualTo(Cpu.CR0_PE | Cpu.CR0_TS);
    takes("0f 01 f0", 0);
    assertThat(cpu.cr0 & 0xf).isEqualTo(Cpu.CR0_PE);
  }

  @Test
  void withoutPagingAddressesAreMachineAddresses() {
    machine.compatibility();
    cpu.segmentAccess[Instruction.CS] = 0xc09b;
    cpu.selector[Instruction.CS] = 0x30;
    cpu.cr0 = Cpu.CR0_PE;
    cpu.efer = 0;
    cpu.cr3 = 0;
    cpu.refresh();
    machine.memory.writeInt(Machine.DATA, 77);
    cpu.r[Cpu.RSI] = Machine.DATA;
    takes("8b 06", 0); // mov eax,[esi]
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(77);
    // Beyond memory is the bus, which floats.
    cpu.r[Cpu.RSI] = 0xfee0_0000L;
    takes("8b 06", 0);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(0xffff_ffffL);
  }

  @Test
  void theTaskPriorityIsThePlatforms() {
    int[] priority = new int[1];
    cpu.platform = new TestPlatform() {
      @Override
      public int taskPriority() {
        return priority[0];
      }

      @Override
      public void setTaskPriority(int value) {
        priority[0] = value;
      }
    };
    refuses(TO_CR8, 16);
    takes(TO_CR8, 11);
    takes("44 0f 20 c3", 0); // mov rbx,cr8
    assertThat(cpu.r[Cpu.RBX]).isEqualTo(11);
    assertThat(priority[0]).isEqualTo(11);
  }

  @Test
  void stacOpensUserPagesAndClacClosesThem() {
    machine.map(Machine.CODE, Machine.CODE | Machine.FLAGS & ~Mmu.USER);
    takes(TO_CR4, cpu.cr4 | Cpu.CR4_SMAP | Cpu.CR4_SMEP);
    cpu.r[Cpu.RSI] = Machine.DATA;
    takes("0f 01 cb", 0); // stac
    takes("48 8b 06", 0);
    takes("0f 01 ca", 0); // clac
    cpu.rip = Machine.CODE;
    assertThat(machine.code("48 8b 06").fault()).isEqualTo(new Exit.Exception(Fault.PF, Fault.PF_PRESENT, Machine.DATA));
    machine.privilege(3).map(Machine.CODE, Machine.CODE | Machine.FLAGS);
    assertThat(machine.code("0f 01 cb").fault()).isEqualTo(UD);
  }
}

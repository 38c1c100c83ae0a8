package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class StringsTest {
  private static final long FROM = Machine.DATA, TO = Machine.DATA + 0x8000;

  private final Machine machine = new Machine();
  private final Cpu cpu = machine.cpu;

  private Machine prepare(String hex, long from, long to, long count) {
    machine.code(hex);
    cpu.rip = Machine.CODE;
    cpu.r[Cpu.RSI] = from;
    cpu.r[Cpu.RDI] = to;
    cpu.r[Cpu.RCX] = count;
    return machine;
  }

  @Test
  void oneEntryRunsAtMost4096IterationsAndCountsOnce() {
    prepare("f3 48 ab", 0, TO, 5000).step(1); // rep stosq
    assertThat(cpu.r[Cpu.RCX]).isEqualTo(5000 - 4096);
    assertThat(cpu.rip).isEqualTo(Machine.CODE);
    assertThat(cpu.r[Cpu.RDI]).isEqualTo(TO + 4096 * 8);
    assertThat(cpu.retired).isEqualTo(1);
    machine.step(1);
    assertThat(cpu.r[Cpu.RCX]).isZero();
    assertThat(cpu.rip).isEqualTo(Machine.CODE + 3);
  }

  @Test
  void aCountOfZeroDoesNothing() {
    prepare("f3 a4", 0, 0, 0).step(1);
    assertThat(cpu.rip).isEqualTo(Machine.CODE + 2);
    assertThat(cpu.r[Cpu.RSI]).isZero();
  }

  @Test
  void aFaultKeepsCompletedIterationsAndNoMore() {
    machine.map(TO + 0x1000, 0);
    prepare("f3 48 a5", FROM, TO + 0xff0, 10); // rep movsq
    assertThat(machine.fault()).isEqualTo(new Exit.Exception(Fault.PF, Fault.PF_USER | Fault.PF_WRITE, TO + 0x1000));
    assertThat(cpu.rip).isEqualTo(Machine.CODE);
    assertThat(cpu.r[Cpu.RCX]).isEqualTo(8);
    assertThat(cpu.r[Cpu.RSI]).isEqualTo(FROM + 16);
    assertThat(cpu.r[Cpu.RDI]).isEqualTo(TO + 0x1000);
  }

  @Test
  void copiesAcrossPagesAreWhole() {
    byte[] bytes = new byte[9000];
    for (int n = 0; n < bytes.length; n++) {
      bytes[n] = (byte) (n * 7 + n / 256);
    }
    machine.memory.write(FROM + 100, bytes, 0, bytes.length);
    prepare("f3 a4", FROM + 100, TO + 3001, bytes.length).step(3);
    byte[] copy = new byte[bytes.length];
    machine.memory.read(TO + 3001, copy, 0, copy.length);
    assertThat(copy).isEqualTo(bytes);
  }

  @Test
  void anOverlappingCopyForwardsRepeatsItsStart() {
    machine.memory.writeInt(FROM, 0x0403_0201);
    prepare("f3 a4", FROM, FROM + 4, 8).step(1);
    assertThat(machine.memory.readLong(FROM + 4)).isEqualTo(0x0403_0201_0403_0201L);
  }

  @Test
  void overlapIsFoundByMachineAddress() {
    machine.map(TO, FROM | Machine.FLAGS).memory.writeInt(FROM, 0x0403_0201);
    prepare("f3 a4", FROM, TO + 4, 8).step(1);
    assertThat(machine.memory.readLong(FROM + 4)).isEqualTo(0x0403_0201_0403_0201L);
  }

  @Test
  void withTheDirectionFlagItGoesDown() {
    machine.memory.writeLong(FROM, 0x0807_0605_0403_0201L);
    cpu.eflags |= Cpu.DF;
    prepare("f3 a4", FROM + 7, FROM + 9, 8).step(1);
    assertThat(machine.memory.readLong(FROM + 2)).isEqualTo(0x0807_0605_0403_0201L);
    assertThat(cpu.r[Cpu.RSI]).isEqualTo(FROM - 1);
  }

  @Test
  void fillsHaveThePatternOfTheirWidth() {
    cpu.r[Cpu.RAX] = 0xaabb_ccddL;
    prepare("f3 ab", 0, TO, 3).step(1); // rep stosd
    assertThat(machine.memory.readLong(TO)).isEqualTo(0xaabb_ccdd_aabb_ccddL);
    assertThat(machine.memory.readLong(TO + 8)).isEqualTo(0xaabb_ccddL);
    prepare("66 f3 ab", 0, TO + 1, 3).step(1); // rep stosw
    assertThat(machine.memory.readLong(TO)).isEqualTo(0xaacc_ddcc_ddcc_ddddL);
  }

  @Test
  void scanStopsAtTheMatch() {
    machine.memory.writeByte(FROM + 5, (byte) 'x');
    cpu.r[Cpu.RAX] = 'x';
    prepare("f2 ae", 0, FROM, 100).step(1); // repne scasb
    assertThat(cpu.r[Cpu.RDI]).isEqualTo(FROM + 6);
    assertThat(cpu.r[Cpu.RCX]).isEqualTo(94);
    assertThat(cpu.zf()).isTrue();
    assertThat(cpu.rip).isEqualTo(Machine.CODE + 2);
  }

  @Test
  void compareStopsAtTheDifferenceWithItsFlags() {
    machine.memory.writeByte(FROM + 9, (byte) 1);
    machine.memory.writeByte(TO + 9, (byte) 2);
    prepare("f3 a6", FROM, TO, 100).step(1); // repe cmpsb
    assertThat(cpu.r[Cpu.RSI]).isEqualTo(FROM + 10);
    assertThat(cpu.cf()).isTrue();
    assertThat(cpu.zf()).isFalse();
  }

  @Test
  void addressesOf32BitsWrapAndClearUpperHalves() {
    machine.memory.writeByte(FROM, (byte) 0x5a);
    prepare("67 f3 a4", FROM | 7L << 32, TO | 9L << 32, 3L << 32 | 1).step(1);
    assertThat(machine.memory.readByte(TO)).isEqualTo((byte) 0x5a);
    assertThat(cpu.r[Cpu.RSI]).isEqualTo(FROM + 1);
    assertThat(cpu.r[Cpu.RDI]).isEqualTo(TO + 1);
    assertThat(cpu.r[Cpu.RCX]).isZero();
  }

  @Test
  void singleStepTrapsAfterEachIteration() {
    cpu.setRflags(cpu.rflags() | Cpu.TF);
    prepare("f3 a4", FROM, TO, 2);
    assertThat(machine.run(10)).isEqualTo(new Exit.Exception(Fault.DB, Fault.NO_ERROR_CODE, 1 << 14));
    assertThat(cpu.rip).isEqualTo(Machine.CODE);
    assertThat(cpu.r[Cpu.RCX]).isEqualTo(1);
    machine.run(10);
    assertThat(cpu.rip).isEqualTo(Machine.CODE + 2);
  }
}

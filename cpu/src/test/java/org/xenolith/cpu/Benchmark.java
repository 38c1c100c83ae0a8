package org.xenolith.cpu;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;

/** Measures the interpreter on loops of typical code. Not run by the tests: a main method, with the number of seconds for its argument. */
final class Benchmark {
  /** The processor time of the thread, since others may use the machine. */
  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  private Benchmark() {}

  private static void measure(String name, String hex, int seconds) {
    Machine machine = new Machine().code(hex);
    machine.cpu.r[Cpu.RSI] = name.equals("branches") ? 0 : Machine.DATA;
    machine.cpu.r[Cpu.RDI] = Machine.DATA + 0x1000;
    for (int n = 0; n < seconds; n++) {
      long before = THREADS.getCurrentThreadCpuTime();
      long count = 0;
      while (THREADS.getCurrentThreadCpuTime() - before < 1_000_000_000L) {
        machine.step(10_000_000);
        count += 10_000_000;
      }
      System.out.printf("%-10s %6.1f M/s%n", name, count * 1e3 / (THREADS.getCurrentThreadCpuTime() - before));
    }
  }

  public static void main(String[] arguments) {
    int seconds = Integer.parseInt(arguments[0]);
    // 1: add rax,rbx; inc rcx; cmp rcx,100; jne 1b; xor ecx,ecx; jmp 1b
    measure("registers", "48 01 d8  48 ff c1  48 83 f9 64  75 f4  31 c9  eb f0", seconds);
    // 1: mov rax,[rsi+8]; add rax,rbx; mov [rdi+16],rax; test rax,rax; je 2f; 2: mov edx,[rsi+4]; lea rbx,[rdx+rdx*2+5]; jmp 1b
    measure("memory", "48 8b 46 08  48 01 d8  48 89 47 10  48 85 c0  74 00  8b 56 04  48 8d 5c 52 05  eb e6", seconds);
    // 1: cmp rdi,r9; jae 2f; nop; 2: xor r8d,r8d; jmp 3f; nop; 3: cmp esi,r8d; jne 1b; inc edx; inc rdi; cmp edx,eax; jne 1b; jmp 1b
    measure("branches", "4c 39 cf 73 01 90  45 31 c0 eb 01 90  44 39 c6 75 ef  ff c2 48 ff c7 39 c2 75 e6 eb e4", seconds);
    // 1: call 2f; mov rax,rbx; jmp 1b; 2: push rbp; mov rbp,rsp; push rbx; sub rsp,16; movzx eax,byte [rdi]; and eax,15; shl rax,3;
    // add rsp,16; pop rbx; pop rbp; ret
    measure(
        "calls",
        "e8 05 00 00 00  48 89 d8  eb f6  55  48 89 e5  53  48 83 ec 10  0f b6 07  83 e0 0f  48 c1 e0 03  48 83 c4 10  5b 5d c3",
        seconds);
  }
}

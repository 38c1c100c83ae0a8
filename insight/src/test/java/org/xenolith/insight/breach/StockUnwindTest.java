package org.xenolith.insight.breach;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.xenolith.image.KernelImage;
import org.xenolith.xen.Observer;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.pv.PvMachine;

/** A distribution's kernel, if the property {@code xenolith.test.kernel} leads to one, unwound while it starts. */
class StockUnwindTest {
  private static final long COUNTS = 150_000_000;
  private static final int EVERY = 7;

  @Test
  void everyStackLeadsToWhereItsTaskBegan() {
    Path path = Path.of(System.getProperty("xenolith.test.kernel", "none"));
    assumeTrue(Files.isReadable(path), "no kernel at " + path + ": ./xenolith kernel fetch gets one");
    KernelImage image = KernelImage.read(path);
    Unwinder unwinder = new Unwinder(new CodeNames(image));
    Map<String, Integer> roots = new TreeMap<>();
    List<List<StackFrame>> broken = new ArrayList<>();
    Observer observer =
        new Observer() {
          private int calls;

          @Override
          public void hypercall(Vcpu vcpu, int number, long[] args, long result) {
            if (++calls % EVERY == 0) {
              look(vcpu);
            }
          }

          @Override
          public void upcall(Vcpu vcpu) {
            if (vcpu.kernelMode) {
              look(vcpu);
            }
          }

          private void look(Vcpu vcpu) {
            List<StackFrame> stack = unwinder.unwind(vcpu.cpu);
            if (stack.stream().anyMatch(f -> !f.certain())) {
              broken.add(stack);
            }
            roots.merge(stack.getLast().function(), 1, Integer::sum);
          }
        };
    PvMachine.Setup setup = new PvMachine.Setup(image, null, "console=hvc0", 256L << 20, 1, 0, true);
    try (PvMachine machine = new PvMachine(setup, (bytes, length) -> {}, (bytes, length) -> {}, observer)) {
      machine.run(COUNTS);
    }
    assertThat(broken).isEmpty();
    assertThat(roots.keySet()).isSubsetOf(
        "xen_start_kernel", "x86_64_start_reservations", "startup_xen", "asm_cpu_bringup_and_idle", "ret_from_fork", "kthread");
    assertThat(roots.values().stream().mapToInt(Integer::intValue).sum()).isGreaterThan(50);
  }
}

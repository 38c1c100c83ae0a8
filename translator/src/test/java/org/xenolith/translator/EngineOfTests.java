package org.xenolith.translator;

import java.util.Collections;
import java.util.Map;
import java.util.WeakHashMap;
import org.junit.platform.launcher.LauncherSession;
import org.junit.platform.launcher.LauncherSessionListener;
import org.xenolith.cpu.CodeCache;
import org.xenolith.cpu.Cpu;

/**
 * Lets every processor that tests make run by the engine that the property {@code xenolith.test.engine} names, each block from its first
 * run on.
 */
public final class EngineOfTests implements LauncherSessionListener {
  @Override
  public void launcherSessionOpened(LauncherSession session) {
    String name = System.getProperty("xenolith.test.engine", "interpreter");
    Map<CodeCache, Translator> ofMachines = Collections.synchronizedMap(new WeakHashMap<>());
    if (name.equals("translator")) {
      Cpu.engines = cpu -> ofMachines.computeIfAbsent(cpu.codeCache(), code -> Translator.make(code, cpu.model, 1)).engine();
    } else if (name.equals("lockstep")) {
      Cpu.engines = cpu -> ofMachines.computeIfAbsent(cpu.codeCache(), code -> Translator.make(code, cpu.model, 1)).lockstep();
    }
  }
}

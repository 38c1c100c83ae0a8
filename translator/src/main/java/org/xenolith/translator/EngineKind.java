package org.xenolith.translator;

import java.util.List;
import org.xenolith.cpu.CodeCache;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.ProcessorModel;

/** The engines that can run a machine's processors. What the guest does is the same on each. */
public enum EngineKind {
  /** The translator where the host has what it needs, else the interpreter. */
  AUTO,
  TRANSLATOR,
  INTERPRETER,
  /** Interpreter and translator run the same, and are compared after each trace: see {@link LockstepDifference}. */
  LOCKSTEP;

  /**
   * Lets the processors of one machine run by this engine; before they run first.
   *
   * @return the engine that they got, never {@link #AUTO}
   * @throws UnsupportedOperationException if the translator is asked for on a host that is not x86-64 Linux, or refuses memory that is
   *     writable and executable
   */
  public EngineKind attach(List<Cpu> cpus) {
    if (this == INTERPRETER) {
      return INTERPRETER;
    }
    CodeCache code = cpus.getFirst().codeCache();
    ProcessorModel model = cpus.getFirst().model;
    Translator translator = this == LOCKSTEP ? Translator.make(code, model, 2) : Translator.make(code, model);
    if (translator == null) {
      if (this == AUTO) {
        return INTERPRETER;
      }
      throw new UnsupportedOperationException("the translator needs an x86-64 Linux host that allows memory to be written and executed");
    }
    for (Cpu cpu : cpus) {
      cpu.engine = this == LOCKSTEP ? translator.lockstep() : translator.engine();
    }
    return this == LOCKSTEP ? LOCKSTEP : TRANSLATOR;
  }
}

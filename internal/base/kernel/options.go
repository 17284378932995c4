package kernel

import (
	"fmt"
	"slices"
	"strings"
)

// closed are options that must be off however they came in: each is a way
// for an app to become more than an app.
func closed() []string {
	return []string{
		"BINFMT_MISC", "BPF_JIT", "COREDUMP", "CROSS_MEMORY_ATTACH", "DEBUG_FS", "DEVMEM", "DEVPORT",
		"HIBERNATION", "IA32_EMULATION", "IO_URING", "IPC_NS", "KALLSYMS", "KEXEC", "KEXEC_FILE", "KPROBES",
		"MAGIC_SYSRQ", "MODIFY_LDT_SYSCALL", "MODULES", "PACKET", "PID_NS", "PROC_KCORE", "TIME_NS",
		"USERFAULTFD", "USER_NS", "UTS_NS", "X86_IOPL_IOPERM", "X86_X32_ABI",
	}
}

// settings are the lines of an option list: name → value.
func settings(list string) map[string]string {
	set := map[string]string{}
	for line := range strings.Lines(list) {
		line = strings.TrimSpace(line)
		if name, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			set[strings.TrimPrefix(name, "CONFIG_")] = value
		}
	}
	return set
}

// checkOptions compares what was asked for with the .config that came of it.
// Kconfig drops without a word what it does not know, or whose dependencies
// are off, and selects what others need.
func checkOptions(asked, dotConfig string) error {
	got := settings(dotConfig)
	var wrong []string
	for name, value := range settings(asked) {
		switch have, ok := got[name]; {
		case !ok:
			wrong = append(wrong, fmt.Sprintf("%s=%s was dropped", name, value))
		case have != value:
			wrong = append(wrong, fmt.Sprintf("%s=%s became %s", name, value, have))
		}
	}
	for _, name := range closed() {
		if value, ok := got[name]; ok {
			wrong = append(wrong, fmt.Sprintf("%s must be off and is %s", name, value))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.Sort(wrong)
	return fmt.Errorf("Kconfig made something else of the options: %s; correct templates/kernel/*.config", //nolint:staticcheck // a name
		strings.Join(wrong, ", "))
}

package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pushcheck/pushcheck/scenarios"
)

// fromEnvironment gives each flag that was not on the command line the value of
// its twin: --fail-fast is PUSHCHECK_FAIL_FAST. A flag that may be repeated
// takes several values separated by commas.
func fromEnvironment(cmd *cobra.Command, o outside) error {
	var problem error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "help" || problem != nil {
			return
		}
		name := twin(f.Name)
		value, set := o.env(name)
		if !set || value == "" {
			return
		}
		values := []string{value}
		if _, repeated := f.Value.(pflag.SliceValue); repeated {
			values = strings.Split(value, ",")
		}
		for _, v := range values {
			if err := cmd.Flags().Set(f.Name, v); err != nil {
				problem = usage("--"+f.Name+": "+f.Usage, "%s=%s in the environment is not a %s", name, v, f.Value.Type())
				return
			}
		}
	})
	return problem
}

func twin(flag string) string {
	return "PUSHCHECK_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// flagError words what cobra found wrong with a flag, with the nearest flag
// that there is.
func flagError(cmd *cobra.Command, err error) error {
	hint := cmd.CommandPath() + " --help lists the flags"
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "unknown flag: --"); ok {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if near := scenarios.Nearest(name, names); near != "" {
			return usage(hint, "unknown flag --%s; did you mean --%s?", name, near)
		}
		return usage(hint, "unknown flag --%s", name)
	}
	return usage(hint, "%s", text)
}

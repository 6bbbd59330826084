package main

import (
	"github.com/spf13/cobra"
)

var shells = []string{"bash", "zsh", "fish", "powershell"}

func newCompletion(o outside) *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "write the completion script of bash, zsh, fish or powershell",
		Example: `  source <(pushcheck completion bash)
  pushcheck completion fish > ~/.config/fish/completions/pushcheck.fish`,
		ValidArgs: shells,
		Args:      exactlyOne("a shell", "one of bash, zsh, fish, powershell"),
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(o.stdout, true)
			case "zsh":
				return root.GenZshCompletion(o.stdout)
			case "fish":
				return root.GenFishCompletion(o.stdout, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(o.stdout)
			}
			return usage("one of bash, zsh, fish, powershell", "%q is not a shell that there is a script for", args[0])
		},
	}
}

// exactlyOne demands one argument and says which.
func exactlyOne(what, hint string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usage(hint, "%s takes %s, not %s", cmd.Name(), what, plural(len(args), "argument"))
		}
		return nil
	}
}

// fixed completes a flag with a list.
func fixed(values ...string) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return values, cobra.ShellCompDirectiveNoFileComp
	}
}

package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"guise/config"
)

// Exit codes.
const (
	exitFine  = 0
	exitFound = 1 // problems were found, or the work failed
	exitUsage = 2 // unknown command, flag or argument
)

// A program is one run of guise: what main gives it, and the flags that its
// commands share.
type program struct {
	stdout, stderr io.Writer
	environ        []string // "NAME=value"
	file           string   // --config; "" for none
	sets           []string // --set key=value
}

// A failure is an error of a command's work, as against of its usage.
type failure struct{ err error }

func (f failure) Error() string { return f.err.Error() }
func (f failure) Unwrap() error { return f.err }

// errReported ends a command whose output already says what is wrong.
var errReported = errors.New("problems were found")

// invalid is a configuration with problems.
type invalid struct{ problems config.Problems }

func (e invalid) Error() string {
	return fmt.Sprintf("%d problems in the configuration", len(e.problems))
}

// run is the program: it returns the exit code.
func run(args []string, stdout, stderr io.Writer, environ []string) int {
	out := &output{Writer: stdout}
	p := &program{stdout: out, stderr: stderr, environ: environ}
	root := newRootCommand(p)
	root.SetArgs(args)
	cmd, err := root.ExecuteC()
	if err == nil && out.err != nil {
		err = failure{out.err}
	}
	if err == nil {
		return exitFine
	}
	if _, worked := errors.AsType[failure](err); !worked {
		fmt.Fprintf(stderr, "guise: %v\nRun '%s --help' for how to use it.\n", err, cmd.CommandPath())
		return exitUsage
	}
	p.report(err)
	return exitFound
}

// An output remembers its first error: a command must not succeed whose output is lost,
// or a part of it, as on a full disk.
type output struct {
	io.Writer
	err error
}

func (o *output) Write(b []byte) (int, error) {
	n, err := o.Writer.Write(b)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// report prints err as a person is to read it, on standard error.
func (p *program) report(err error) {
	if bad, ok := errors.AsType[invalid](err); ok {
		fmt.Fprint(p.stderr, bad.problems)
		return
	}
	if !errors.Is(err, errReported) {
		fmt.Fprintf(p.stderr, "guise: %v\n", err)
	}
	switch {
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		fmt.Fprintln(p.stderr, "This machine has no such address now; 127.0.0.1 is for itself alone, 0.0.0.0 and [::] are for all that it has")
	case errors.Is(err, syscall.EADDRINUSE):
		fmt.Fprintln(p.stderr, "Stop what listens there, or choose another address (listeners, admin.address), as with --set listeners=127.0.0.1:8119")
	}
}

// work makes a RunE of f, whose errors are failures, not wrong usage.
func work(f func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := f(cmd, args); err != nil {
			return failure{err}
		}
		return nil
	}
}

// load returns the configuration that flags and environment give.
func (p *program) load(checks ...config.Check) (*config.Config, error) {
	c, problems := config.Load(p.file, p.environ, p.sets, checks...)
	if c == nil {
		return nil, invalid{problems}
	}
	return c, nil
}

// noArguments refuses arguments of cmd, and says what most likely was meant.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	switch filepath.Ext(args[0]) {
	case ".yaml", ".yml", ".toml", ".json":
		return fmt.Errorf("a configuration is named with --config %s", args[0])
	}
	if sets, _ := cmd.Flags().GetStringArray("set"); len(sets) > 0 && !strings.Contains(sets[len(sets)-1], "=") {
		return fmt.Errorf("--set wants key=value, such as --set %s=%s", sets[len(sets)-1], args[0])
	}
	cmd.SuggestionsMinimumDistance = 2 // cobra suggests by itself for the root alone
	meant := cmd.SuggestionsFor(args[0])
	if len(meant) == 0 {
		return cobra.NoArgs(cmd, args)
	}
	return fmt.Errorf("%w; did you mean %s?", cobra.NoArgs(cmd, args), strings.Join(meant, " or "))
}

// noEmptyFlags refuses flags with an empty value: a script's unset variable must not
// turn into the default, such as --only="$DOMAIN" into an authority for all sites.
func noEmptyFlags(flags *pflag.FlagSet) (err error) {
	flags.Visit(func(f *pflag.Flag) {
		if value := f.Value.String(); value == "" || value == "[]" {
			wanted, _ := pflag.UnquoteUsage(f)
			err = fmt.Errorf("--%s wants a value: %s", f.Name, wanted)
		}
	})
	return err
}

// flagWants says what a flag of a type takes, in place of strconv's words in pflag's
// error.
var flagWants = map[string]string{"bool": "true or false", "int": "a whole number"}

// flagError adds to an error of pflag's what would be right.
func flagError(err error) error {
	if strings.HasPrefix(err.Error(), "unknown ") {
		return fmt.Errorf("%w; settings are keys of the configuration, as in --set listeners=127.0.0.1:9000, or in a file for --config", err)
	}
	if bad, ok := errors.AsType[*pflag.InvalidValueError](err); ok && errors.Is(err, strconv.ErrSyntax) {
		if wanted := flagWants[bad.GetFlag().Value.Type()]; wanted != "" {
			return fmt.Errorf("--%s wants %s, not %q", bad.GetFlag().Name, wanted, bad.GetValue())
		}
	}
	return err
}

func newRootCommand(p *program) *cobra.Command {
	root := &cobra.Command{
		Use:   "guise",
		Short: "An anonymizing HTTP proxy",
		Args:  noArguments,
		Long: `guise is an HTTP proxy that hides you from the sites you visit: your address,
your browser and system, tracking cookies, referrers and tracking parameters.
Without a command it serves, as "guise serve" does.

Exit codes: 0 all is well, 1 problems found or the work failed, 2 wrong usage.`,
		Example: `  guise
  guise --config guise.yaml
  guise --set listeners=127.0.0.1:9000 --set identity.persona=chrome
  guise check --config guise.yaml
  guise help configuration`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return noEmptyFlags(cmd.Flags()) },
		RunE:              work(func(cmd *cobra.Command, _ []string) error { return p.serve(cmd.Context()) }),
	}
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.Version = version()
	root.SetVersionTemplate(versionLine() + "\n")
	root.SetHelpCommand(newHelpCommand(root))
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return flagError(err) })
	flags := root.PersistentFlags()
	flags.StringVarP(&p.file, "config", "c", "", "configuration `FILE` (.yaml, .toml or .json)")
	flags.StringArrayVar(&p.sets, "set", nil, "override `key=value`, as cache.memory=128MiB; repeatable")
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(
		newServeCommand(p),
		newCheckCommand(p),
		newExplainCommand(p),
		newJudgeCommand(p),
		newPACCommand(p),
		newCACommand(p),
		newUserCommand(p),
		newVersionCommand(p),
		newConfigurationTopic(),
	)
	return root
}

// newHelpCommand is cobra's, but takes an unknown topic for wrong usage.
func newHelpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about any command",
		RunE: func(_ *cobra.Command, args []string) error {
			about, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return fmt.Errorf("there is no help about %q", strings.Join(args, " "))
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

// newConfigurationTopic returns what "guise help configuration" shows. Having
// nothing to run makes it a topic.
func newConfigurationTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "configuration",
		Short: "Every key with its default, and how to set it",
		Long: `A profile (household, public or pac) is the base. What the file of --config says
overrides it; environment variables override the file: GUISE_CACHE_MEMORY for
cache.memory; --set cache.memory=128MiB overrides all. There, a list is
written with commas, or as in YAML: --set 'sites=[{match: "*.bank.example",
cookies: pass}]'. TOML and JSON files have the same keys.

Sizes and times need a unit. An unknown key is an error; "guise check" shows
what is wrong. This is the default:

` + config.Reference() + `
The other profiles change some of it:

` + config.Others(),
	}
}

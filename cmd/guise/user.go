package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"guise/config"
	"guise/proxy/gate"
)

func newUserCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "user",
		Short: "Add, remove and list users, and sign tokens for them",
		Long: `User edits who may enter: with access.authentication: basic the htpasswd file
of access.users, with token or certificate the list of access.revoked. A running
guise takes a change over within a second or two, and ends the tunnels of
removed users.`,
		Example: `  guise user add ann --config guise.yaml
  guise user list --config guise.yaml
  guise user token ann --valid 720h --config guise.yaml`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newUserAddCommand(p), newUserRemoveCommand(p), newUserListCommand(p), newUserTokenCommand(p))
	return cmd
}

// oneName wants the NAME of an account.
func oneName(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want one NAME, got %d arguments", len(args))
	}
	return nil
}

// users returns the file to edit: named or access.users, of who may enter; or, where
// whoever has something signed may enter, access.revoked, of who may no more.
func (p *program) users(named string) (path string, revoked bool, err error) {
	if named != "" {
		return named, false, nil
	}
	c, err := p.load()
	if err != nil {
		return "", false, err
	}
	switch c.Access.Authentication {
	case config.AuthBasic:
		return c.Access.Users, false, nil
	case config.AuthToken, config.AuthCertificate:
		return c.Access.Revoked, true, nil
	}
	return "", false, errors.New("there is no file of users; name one with --file, or set access.authentication: basic and access.users")
}

func newUserAddCommand(p *program) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a user, or change a password",
		Long: `Add asks for a password, or reads it as the first line of standard input if that
is no terminal, and writes its bcrypt hash into the file of users. The file is
made if there is none.`,
		Example: `  guise user add ann --file users
  echo 'correct horse' | guise user add bob --config guise.yaml`,
		Args: oneName,
		RunE: work(func(_ *cobra.Command, args []string) error {
			path, revoked, err := p.users(file)
			switch {
			case err != nil:
				return err
			case revoked:
				return errors.New("with that access.authentication a user is whoever has a token (see guise user token), or a certificate of access.authorities")
			}
			if err := gate.CheckName(args[0]); err != nil {
				return err // before a password is typed twice
			}
			password, err := readPassword(os.Stdin, p.stderr)
			if err != nil {
				return err
			}
			if err := gate.SetUser(path, args[0], password); err != nil {
				return err
			}
			fmt.Fprintf(p.stderr, "guise: %s may enter\n", args[0])
			return nil
		}),
	}
	cmd.Flags().StringVar(&file, "file", "", "htpasswd `FILE`; access.users if it is left out")
	return cmd
}

// readPassword asks twice on a terminal, and takes a line of anything else.
func readPassword(in *os.File, prompt io.Writer) (string, error) {
	fd := int(in.Fd())
	if !term.IsTerminal(fd) {
		line, err := bufio.NewReader(io.LimitReader(in, 4096)).ReadString('\n')
		if err != nil && line == "" {
			return "", errors.New("no password on standard input")
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	// In raw mode Ctrl-C is read as typed: as a signal, it would end the program and leave
	// a terminal without echo.
	before, err := term.MakeRaw(fd)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	defer term.Restore(fd, before)
	terminal := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{in, prompt}, "")
	var typed [2]string
	for i, ask := range []string{"Password: ", "Again: "} {
		if typed[i], err = terminal.ReadPassword(ask); err != nil {
			fmt.Fprint(prompt, "\r\n")
			return "", errors.New("no password was typed")
		}
	}
	if typed[0] != typed[1] {
		return "", errors.New("the two passwords differ")
	}
	return typed[0], nil
}

func newUserRemoveCommand(p *program) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a user, or revoke tokens or certificates",
		Long: `Remove takes a user out of the file of users. With access.authentication: token
it writes NAME, a user or the id of one token, into the list of access.revoked,
and so with certificate, where NAME is a user or the serial number of one
certificate, as openssl x509 -noout -serial prints it.`,
		Example: "  guise user remove ann --config guise.yaml",
		Args:    oneName,
		RunE: work(func(_ *cobra.Command, args []string) error {
			path, revoked, err := p.users(file)
			switch {
			case err != nil:
				return err
			case revoked && path == "":
				return errors.New("set access.revoked to the name of a file that lists who enters no more")
			case revoked:
				return gate.Revoke(path, args[0])
			}
			return gate.RemoveUser(path, args[0])
		}),
	}
	cmd.Flags().StringVar(&file, "file", "", "htpasswd `FILE`; access.users if it is left out")
	return cmd
}

func newUserListCommand(p *program) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the users",
		Long:    "List prints the names in the file of users, one a line. With\naccess.authentication: token or certificate it prints what is revoked.",
		Example: "  guise user list --config guise.yaml",
		Args:    noArguments,
		RunE: work(func(*cobra.Command, []string) error {
			path, revoked, err := p.users(file)
			if err != nil {
				return err
			}
			list := gate.ListUsers
			if revoked {
				list = gate.Revoked
			}
			names, err := list(path)
			for _, name := range names {
				fmt.Fprintln(p.stdout, name)
			}
			return err
		}),
	}
	cmd.Flags().StringVar(&file, "file", "", "htpasswd `FILE`; access.users if it is left out")
	return cmd
}

func newUserTokenCommand(p *program) *cobra.Command {
	valid := 720 * time.Hour
	var file string
	cmd := &cobra.Command{
		Use:   "token NAME",
		Short: "Sign a token that lets a user in for a time",
		Long: `Token prints a token for access.authentication: token, and on standard error its
id, by which guise user remove can revoke it. It signs with the key of
access.token_key, which is made if there is none.

Browsers and curl send a token as the password of NAME; other clients may send
Proxy-Authorization: Bearer TOKEN.`,
		Example: `  guise user token ann --valid 720h --config guise.yaml
  guise user token ann --valid 24h --key token.key`,
		Args: func(cmd *cobra.Command, args []string) error {
			if valid < time.Second {
				return errors.New("--valid wants at least 1s")
			}
			return oneName(cmd, args)
		},
		RunE: work(func(_ *cobra.Command, args []string) error {
			if err := gate.CheckName(args[0]); err != nil {
				return err // before a key is made
			}
			key, err := p.tokenKey(file)
			if err != nil {
				return err
			}
			expiry := time.Now().Add(valid)
			token, id, err := key.Sign(args[0], expiry)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintln(p.stdout, token); err != nil {
				return err // the token is shown only here
			}
			fmt.Fprintf(p.stderr, "guise: token %s lets %s in until %s\n", id, args[0], expiry.UTC().Format(time.DateTime+" MST"))
			return nil
		}),
	}
	cmd.Flags().Var((*validity)(&valid), "valid", "how long the token holds")
	cmd.Flags().StringVar(&file, "key", "", "key `FILE`; access.token_key if it is left out")
	return cmd
}

// A validity is a flag for how long a token holds, with no upper bound.
type validity time.Duration

// Set explains a wrong length of time as the configuration does.
func (v *validity) Set(s string) error {
	length, err := time.ParseDuration(s)
	if err != nil {
		return new(config.Duration).UnmarshalText([]byte(s))
	}
	*v = validity(length)
	return nil
}

func (v *validity) String() string { return time.Duration(*v).String() }

func (v *validity) Type() string { return "duration" }

// tokenKey reads the key of tokens, or makes one.
func (p *program) tokenKey(file string) (gate.Key, error) {
	if file == "" {
		c, err := p.load()
		if err != nil {
			return gate.Key{}, err
		}
		if file = c.Access.TokenKey; file == "" {
			return gate.Key{}, errors.New("there is no key; name one with --key, or set access.authentication: token and access.token_key")
		}
	}
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		fmt.Fprintf(p.stderr, "guise: making a new key in %s\n", file)
		return gate.MakeKey(file)
	}
	key, err := gate.ReadKey(file)
	if err != nil {
		return gate.Key{}, fmt.Errorf("key %s: %w", file, err)
	}
	return key, nil
}

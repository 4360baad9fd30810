package gate

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/tg123/go-htpasswd"
	"golang.org/x/crypto/bcrypt"

	"guise/proxy/owner"
)

// passwordCost is bcrypt's for new users: some 50 ms on a server's core.
const passwordCost = 10

// maxPassword is what bcrypt takes in; it would leave out the rest.
const maxPassword = 72

// accounts is what an htpasswd file holds.
type accounts struct {
	lines  []string // as read, for writing back
	hashes map[string]hash
	cost   int // highest of all hashes
}

type hash struct {
	text  []byte
	cost  int
	check htpasswd.EncodedPasswd
}

// inUsersFile adds the users file at path to an error.
func inUsersFile(path string, err error) error {
	return fmt.Errorf("users file %s: %w", path, advised(err, "guise user add makes it"))
}

// parseUsers reads lines of name:hash; empty ones and those that begin with
// # are passed over. Its errors hold nothing of a line but its number.
func parseUsers(data []byte) (*accounts, error) {
	a := &accounts{hashes: make(map[string]hash)}
	number := 0
	for line := range strings.Lines(string(bytes.TrimPrefix(data, []byte("\ufeff")))) {
		number++
		line = strings.TrimRight(line, "\r\n")
		a.lines = append(a.lines, line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, text, found := strings.Cut(line, ":")
		switch {
		case !found:
			return nil, fmt.Errorf("line %d is not name:hash", number)
		case !validName(name):
			return nil, fmt.Errorf("line %d: a %s", number, nameRule)
		}
		h, err := parseHash(text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if _, twice := a.hashes[name]; twice {
			return nil, fmt.Errorf("line %d repeats a name", number)
		}
		a.hashes[name] = h
		a.cost = max(a.cost, h.cost)
	}
	a.cost = cmp.Or(a.cost, passwordCost)
	return a, nil
}

func parseHash(text string) (hash, error) {
	check, err := htpasswd.AcceptBcrypt(text)
	if err != nil || check == nil {
		return hash{}, errors.New("the hash is not bcrypt; make one with guise user add, or htpasswd -B")
	}
	cost, err := bcrypt.Cost([]byte(text))
	if err != nil || len(text) != 60 {
		return hash{}, errors.New("the bcrypt hash is damaged")
	}
	if cost > 14 {
		return hash{}, fmt.Errorf("bcrypt cost %d would take seconds for each login; the most is 14", cost)
	}
	return hash{[]byte(text), cost, check}, nil
}

// SetUser writes a user with a password into an htpasswd file, in the place
// of the one of that name, and makes the file if there is none.
func SetUser(path, name, password string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	switch {
	case password == "":
		return errors.New("the password is empty")
	case len(password) > maxPassword:
		return fmt.Errorf("the password has more than %d bytes, which is all that bcrypt takes in", maxPassword)
	}
	text, err := bcrypt.GenerateFromPassword([]byte(password), passwordCost)
	if err != nil {
		return err
	}
	return editUsers(path, true, func(lines []string) ([]string, error) {
		for i, line := range lines {
			if strings.HasPrefix(line, name+":") {
				lines[i] = name + ":" + string(text)
				return lines, nil
			}
		}
		return append(lines, name+":"+string(text)), nil
	})
}

// RemoveUser takes a user out of an htpasswd file.
func RemoveUser(path, name string) error {
	return editUsers(path, false, func(lines []string) ([]string, error) {
		left := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return strings.HasPrefix(line, name+":") })
		if len(left) == len(lines) {
			return nil, fmt.Errorf("there is no user %q", name)
		}
		return left, nil
	})
}

// ListUsers returns the names in an htpasswd file, in order.
func ListUsers(path string) ([]string, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, inUsersFile(path, err)
	}
	a, err := parseUsers(data)
	if err != nil {
		return nil, inUsersFile(path, err)
	}
	return slices.Sorted(maps.Keys(a.hashes)), nil
}

// editUsers replaces the file at once, so that nobody reads half of it.
func editUsers(path string, create bool, edit func([]string) ([]string, error)) error {
	path = resolved(path)
	defer lock(filepath.Dir(path))()
	data, err := os.ReadFile(path)
	if err != nil && !(create && errors.Is(err, os.ErrNotExist)) {
		return inUsersFile(path, fileError(err))
	}
	a, err := parseUsers(data)
	if err != nil {
		return inUsersFile(path, err)
	}
	lines, err := edit(a.lines)
	if err != nil {
		return err
	}
	return replaceFile(path, strings.Join(append(lines, ""), "\n"))
}

// mostLinks bounds the symbolic links that lead to a file which is not there yet.
const mostLinks = 40

// resolved returns where the file at path is, or is to be, past symbolic links.
func resolved(path string) string {
	for range mostLinks {
		if target, err := filepath.EvalSymlinks(path); err == nil {
			return target
		}
		target, err := os.Readlink(path)
		if err != nil {
			return path
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(resolved(filepath.Dir(path)), target)
		}
		path = target
	}
	return path
}

// replaceFile puts a new file in the place of path, which is resolved, with
// the same owner and mode, or readable by its owner alone.
func replaceFile(path, content string) error {
	mode := os.FileMode(0o600)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".guise-*")
	if err != nil { // it has the random name in it
		return fmt.Errorf("write %s: no new file can be made in %s: %w", path, filepath.Dir(path), errors.Unwrap(err))
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(content)
	err = errors.Join(err, owner.Give(f, path), f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if number, ok := errors.AsType[syscall.Errno](err); ok { // as on a full disk; the rest names the new file
		return fmt.Errorf("write %s: %w", path, number)
	}
	return err
}

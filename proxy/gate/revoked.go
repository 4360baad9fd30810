package gate

import (
	"errors"
	"fmt"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// watchRevoked reads a list of what enters no more: user names, and ids of tokens or
// serial numbers of certificates, whichever of says. It returns nil for no path.
func watchRevoked(path, of string, common watching, parse func([]byte) (map[string]bool, error)) (*watchedFile[map[string]bool], error) {
	if path == "" {
		return nil, nil
	}
	named := func(err error) error {
		return fmt.Errorf("list of revoked %s %s: %w", of, path, advised(err, "make an empty one if none is revoked"))
	}
	file, err := newWatchedFile(path, common, named, parse)
	if err != nil {
		return nil, err
	}
	return file, nil
}

// parseRevoked reads one user name, token id or the like a line.
func parseRevoked(data []byte) (map[string]bool, error) {
	revoked := make(map[string]bool)
	for line := range strings.Lines(string(data)) {
		if what := revokedIn(line); what != "" {
			revoked[what] = true
		}
	}
	return revoked, nil
}

// parseRevokedSerials does what parseRevoked does, and also takes serial numbers in the
// form in which openssl x509 -serial prints them.
func parseRevokedSerials(data []byte) (map[string]bool, error) {
	revoked, err := parseRevoked(data)
	for line := range maps.Clone(revoked) {
		digits, ok := strings.CutPrefix(strings.ToLower(line), "serial=")
		if serial, isNumber := new(big.Int).SetString(strings.ReplaceAll(digits, ":", ""), 16); ok && isNumber {
			revoked[serialName(serial)] = true
		}
	}
	return revoked, err
}

// revokedIn returns what a line of a list revokes, "" for nothing. A # begins a comment, as
// no name has one; some editors put a byte order mark before the first line.
func revokedIn(line string) string {
	what, _, _ := strings.Cut(strings.TrimPrefix(line, "\ufeff"), "#")
	return strings.TrimSpace(what)
}

// Revoke adds a user name, token id or serial number to a list of what enters no more.
func Revoke(path, what string) error {
	if !validName(what) {
		return errors.New("that is no user name, token id or serial number")
	}
	path = resolved(path)
	defer lock(filepath.Dir(path))()
	lines, err := revokedLines(path)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(lines, func(line string) bool { return revokedIn(line) == what }) {
		return nil
	}
	return replaceFile(path, strings.Join(append(lines, what, ""), "\n"))
}

// Revoked returns what a list holds; a file that does not exist holds nothing.
func Revoked(path string) ([]string, error) {
	lines, err := revokedLines(path)
	for i, line := range lines {
		lines[i] = revokedIn(line)
	}
	return slices.DeleteFunc(lines, func(what string) bool { return what == "" }), err
}

// revokedLines returns the lines of a list, comments too.
func revokedLines(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list of what is revoked %s: %w", path, fileError(err))
	}
	var lines []string
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines, nil
}

// Package owner has what root makes belong to whom it is for: a service that does not
// run as root must still be able to read it.
package owner

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// MakeFolder makes a folder that is its owner's alone, and those that it is in, unless
// they are there. Each belongs to the owner of the one that it is in.
func MakeFolder(folder string) error {
	if info, err := os.Stat(folder); err == nil && info.IsDir() {
		return nil
	}
	if parent := filepath.Dir(folder); parent != folder {
		if err := MakeFolder(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(folder, 0o700); errors.Is(err, fs.ErrExist) {
		return os.MkdirAll(folder, 0o700) // by another, or it says that this is no folder
	} else if err != nil {
		return err
	}
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(Give(f, folder), f.Close())
}

// WriteNew writes a file that does not exist yet, or nothing of it. It belongs to the
// owner of its folder.
func WriteNew(file string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already; move it away to make another", file)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, Give(f, file), f.Close()); err != nil {
		os.Remove(file) // a part, as on a full disk, would be in the way of the next try
	}
	return err
}

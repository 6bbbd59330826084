package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAReportIsWholeOrNotThere: what was in a file stays until all of the new report
// can take its place, and nothing else is left in the folder.
func TestAReportIsWholeOrNotThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "report.xml")
	read := func() string {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		list, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, list, 1)
		return string(data)
	}
	write := func(text string, end error) error {
		r, err := openReport("junit", name)
		require.NoError(t, err)
		defer r.close()
		return r.write(func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return errors.Join(err, end)
		})
	}
	require.NoError(t, write("first", nil))
	require.Equal(t, "first", read())

	r, err := openReport("junit", name) // and an interrupt
	require.NoError(t, err)
	r.close()
	require.Equal(t, "first", read())

	full := errors.New("the disk is full")
	require.ErrorIs(t, write("sec", full), full)
	require.Equal(t, "first", read())
	require.NoError(t, write("second", nil))
	require.Equal(t, "second", read())

	_, err = openReport("junit", filepath.Join(dir, "none", "report.xml"))
	require.ErrorContains(t, err, filepath.Join("none", "report.xml"))
	_, err = openReport("junit", dir)
	require.ErrorContains(t, err, dir)
}

// TestAReportGoesWhereALinkPoints: and keeps who may read it; what is no regular file
// is written to itself.
func TestAReportGoesWhereALinkPoints(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // links and modes are others there
	}
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	require.NoError(t, os.WriteFile(real, []byte("old"), 0o600))
	require.NoError(t, os.Symlink(real, link))
	r, err := openReport("html", link)
	require.NoError(t, err)
	defer r.close()
	require.NoError(t, r.write(func(w io.Writer) error { _, err := io.WriteString(w, "new"); return err }))
	data, err := os.ReadFile(real)
	require.NoError(t, err)
	require.Equal(t, "new", string(data))
	info, err := os.Lstat(link)
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&os.ModeSymlink)
	info, err = os.Stat(real)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	null, err := openReport("html", os.DevNull)
	require.NoError(t, err)
	defer null.close()
	require.NoError(t, null.write(func(w io.Writer) error { _, err := io.WriteString(w, "new"); return err }))
}

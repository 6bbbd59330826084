package scenarios

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// pretending makes this test's own program a foreign client, when it is called as
// one: TestMain asks it first. It returns the exit code.
func pretending(args []string) (exit int, ok bool) {
	if len(args) == 0 || !strings.HasPrefix(args[0], "pretend-") {
		return 0, false
	}
	switch verb := strings.TrimPrefix(args[0], "pretend-"); verb {
	case "version":
		fmt.Println("pretend version v1.2.3, of today")
	case "can", "can-anything":
		if verb == "can" && args[1] == nonsense {
			return exitCannot, true
		}
	case "push":
		return pretendPush(args[1:]), true
	case "shim":
		return pretendShim(args[1:]), true
	}
	return 0, true
}

func pretendShim(args []string) int {
	if args[0] == "push" {
		return pretendPush([]string{"well"})
	}
	exit, _ := pretending(append([]string{"pretend-" + args[0]}, args[1:]...))
	return exit
}

// pretendPush behaves as the first argument says.
func pretendPush(args []string) int {
	switch args[0] {
	case "lie":
		fmt.Println("pushed, believe me")
		return 0
	case "fail":
		fmt.Fprintln(os.Stderr, "the registry shut the door: "+strings.Join(args[1:], " "))
		return 7
	case "cannot":
		fmt.Println("no such thing here")
		return exitCannot
	case "environment":
		fmt.Println(strings.Join(os.Environ(), "\n"))
		return 0
	case "flood":
		_, _ = os.Stdout.WriteString("first\n" + strings.Repeat(strings.Repeat("x", 99)+"\n", 10_000) + "last\n")
		return 1
	case "hang":
		child := exec.Command(os.Args[0], "pretend-push", "wait")
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		if err := child.Start(); err != nil {
			return 1
		}
		fmt.Println("child", child.Process.Pid)
		_ = pretendUpload("patient")
		return 0
	case "escape":
		return pretendEscape()
	case "escape-and-hang":
		pretendEscape()
		_ = pretendUpload("patient")
		return 0
	case "serve":
		time.Sleep(time.Minute)
		return 0
	case "wait":
		signal.Ignore(syscall.SIGTERM)
		time.Sleep(time.Minute)
		return 0
	}
	if err := pretendUpload(args[0]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// A pretender is a small client of the V2 protocol.
type pretender struct {
	http   http.Client
	base   string // "http://127.0.0.1:40312/v2/team/app"
	layout string
	anew   bool // layers are compressed anew
	// patient is one that waits long before it goes on after a POST.
	patient bool
}

// pretendUpload pushes the layout that the variables name.
func pretendUpload(how string) error {
	env := func(name string) string { return os.Getenv("PUSH_" + name) }
	c := pretender{base: env("SCHEME") + "://" + env("HOST") + "/v2/" + env("REPOSITORY"), layout: env("LAYOUT"), anew: how == "anew", patient: how == "patient"}
	if pem, err := os.ReadFile(os.Getenv("PRETEND_CA")); err == nil {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		c.http.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	}
	var index v1.Index
	var m v1.Manifest
	if err := c.document(filepath.Join(c.layout, "index.json"), &index); err != nil {
		return err
	}
	if err := c.document(c.blobFile(index.Manifests[0].Digest), &m); err != nil {
		return err
	}
	for i := range m.Layers {
		if err := c.blob(&m.Layers[i], c.anew); err != nil {
			return err
		}
	}
	if err := c.blob(&m.Config, false); err != nil {
		return err
	}
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = c.ask(http.MethodPut, c.base+"/manifests/"+env("TAG"), m.MediaType, body)
	return err
}

func (c pretender) blobFile(d digest.Digest) string {
	return filepath.Join(c.layout, filepath.FromSlash(blobPath(d)))
}

func (c pretender) document(path string, to any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, to)
}

func (c pretender) blob(d *v1.Descriptor, anew bool) error {
	body, err := os.ReadFile(c.blobFile(d.Digest))
	if err != nil {
		return err
	}
	if anew {
		r, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return err
		}
		var out bytes.Buffer
		w, _ := gzip.NewWriterLevel(&out, gzip.NoCompression)
		_, err = io.Copy(w, r)
		if err := errors.Join(err, w.Close()); err != nil {
			return err
		}
		body = out.Bytes()
		d.Digest, d.Size = digest.FromBytes(body), int64(len(body))
	}
	location, err := c.ask(http.MethodPost, c.base+"/blobs/uploads/", "", nil)
	if err != nil {
		return err
	}
	if c.patient {
		time.Sleep(time.Minute)
	}
	join := "?"
	if strings.Contains(location, "?") {
		join = "&"
	}
	_, err = c.ask(http.MethodPut, location+join+"digest="+d.Digest.String(), "application/octet-stream", body)
	if err == nil {
		fmt.Println("pushed blob", d.Digest)
	}
	return err
}

// ask sends one request and returns the Location of its answer.
func (c pretender) ask(method, url, mediaType string, body []byte) (string, error) {
	r, err := http.NewRequest(method, url, bytes.NewReader(body)) //nolint:noctx // the program is killed
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", mediaType)
	r.SetBasicAuth(os.Getenv("PUSH_USER"), os.Getenv("PUSH_PASSWORD"))
	resp, err := c.http.Do(r)
	if err != nil {
		return "", err
	}
	text, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode >= 300 {
		return "", fmt.Errorf("%s: %s: %s", method, resp.Status, text)
	}
	location := resp.Header.Get("Location")
	if strings.HasPrefix(location, "/") {
		location = r.URL.Scheme + "://" + r.URL.Host + location
	}
	return location, nil
}

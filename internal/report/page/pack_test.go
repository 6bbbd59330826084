package page_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pushcheck/pushcheck/internal/report/page"
)

// pieces are a page's articles, and what is packed for them.
func pieces(t *testing.T, p *page.Page) (articles, packed []string, size int) {
	t.Helper()
	var b bytes.Buffer
	if err := p.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?s)<article [^>]*>(.*?)</article>`).FindAllStringSubmatch(b.String(), -1) {
		articles = append(articles, m[1])
	}
	_, pack, found := strings.Cut(b.String(), `<script type="application/octet-stream" id="pack">`)
	if !found {
		return articles, nil, b.Len()
	}
	pack, _, _ = strings.Cut(pack, "</script>")
	zip, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(pack)))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	return articles, strings.Split(strings.TrimSuffix(string(plain), "\x00"), "\x00"), b.Len()
}

// TestPackedIsWhatWouldStandThere: a page of much evidence has, packed, what the same
// cells have on a page of little.
func TestPackedIsWhatWouldStandThere(t *testing.T) {
	t.Parallel()
	p := filled("harmless")
	p.Tables[0].Rows[0].Cells = nil
	for _, s := range hostile {
		p.Tables[0].Rows[0].Cells = append(p.Tables[0].Rows[0].Cells, filled(s).Tables[0].Rows[0].Cells[0])
	}
	p.Tables[0].Columns = slices.Repeat(p.Tables[0].Columns[:1], len(hostile)+1)
	plain, packed, _ := pieces(t, p)
	if len(plain) != len(hostile) || packed != nil {
		t.Fatalf("a page of %d articles, %d packed", len(plain), len(packed))
	}

	heavy := filled("harmless").Tables[0].Rows[0].Cells[0]
	heavy.Evidence.Result.Said = slices.Repeat([]string{"Pushing"}, 250)
	p.Tables[0].Rows = append(p.Tables[0].Rows, slices.Repeat([]page.Row{{Group: "g", Cells: []page.Cell{heavy}}}, 400)...)
	empty, packed, size := pieces(t, p)
	if len(empty) != len(packed) || len(packed) != len(hostile)+400 {
		t.Fatalf("a page of %d articles, %d packed", len(empty), len(packed))
	}
	if whole := strings.Join(empty, ""); whole != "" {
		t.Errorf("articles are not empty: %.100q", whole)
	}
	if diff := cmp.Diff(plain, packed[:len(plain)]); diff != "" {
		t.Errorf("what is packed is not what would stand there (-plain +packed):\n%s", diff)
	}
	if size > 500_000 {
		t.Errorf("400 cells that are alike make a page of %d bytes", size)
	}
}

// TestPackedPageIsAPage: it fetches nothing either, and its links lead somewhere.
func TestPackedPageIsAPage(t *testing.T) {
	t.Parallel()
	for _, s := range hostile[:5] {
		p := filled(s)
		p.Tables[0].Rows[0].Cells[0].Evidence.Result.Said = slices.Repeat([]string{s}, 250)
		p.Tables[0].Rows = slices.Repeat(p.Tables[0].Rows, 20)
		var b bytes.Buffer
		if err := p.WriteHTML(&b); err != nil {
			t.Fatal(err)
		}
		if n := count(t, &b); n["script"] != 2 || n["img"] != 0 || n["article"] != 20 {
			t.Errorf("%q makes elements of its own: %v", s, n)
		}
	}
}

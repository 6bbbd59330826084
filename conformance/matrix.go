package conformance

import (
	"mime"
	"slices"
	"strings"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// A Matrix is what a run did, as operations by kinds of content, with the gravest
// verdict of the checks that a place decided.
type Matrix struct {
	Operations []string // rows
	Contents   []string // columns
	Cells      [][]MatrixCell
	// ByOperation and ByContent are the margins: all of a row, all of a column.
	ByOperation, ByContent []MatrixCell
}

// A MatrixCell is one place of a Matrix.
type MatrixCell struct {
	Word   Word     // the gravest; "" where nothing was done
	Passed int      // checks that came here and passed
	Checks []string // those that did not, and whose verdict was reached here
}

// operations are the rows, in the order of a push, with the operations of the wire.
func operations() []struct {
	name string
	ops  []wire.Op
} {
	return []struct {
		name string
		ops  []wire.Op
	}{
		{"ping", []wire.Op{wire.OpPing}},
		{"token", []wire.Op{wire.OpToken}},
		{"stat blob", []wire.Op{wire.OpBlobHead}},
		{"mount", []wire.Op{wire.OpUploadMount}},
		{"start upload", []wire.Op{wire.OpUploadStart}},
		{"chunk", []wire.Op{wire.OpUploadPatch}},
		{"upload status", []wire.Op{wire.OpUploadStatus}},
		{"close upload", []wire.Op{wire.OpUploadPut}},
		{"cancel upload", []wire.Op{wire.OpUploadCancel}},
		{"get blob", []wire.Op{wire.OpBlobGet}},
		{"delete blob", []wire.Op{wire.OpBlobDelete}},
		{"put manifest", []wire.Op{wire.OpManifestPut}},
		{"stat manifest", []wire.Op{wire.OpManifestHead}},
		{"get manifest", []wire.Op{wire.OpManifestGet}},
		{"delete manifest", []wire.Op{wire.OpManifestDelete}},
		{"list tags", []wire.Op{wire.OpTagsList}},
		{"list referrers", []wire.Op{wire.OpReferrers}},
		{"V1", []wire.Op{wire.OpV1Ping, wire.OpV1RepoPut, wire.OpV1JSONGet, wire.OpV1JSONPut, wire.OpV1LayerPut, wire.OpV1ChecksumPut, wire.OpV1TagPut, wire.OpV1ImagesPut}},
		{"anything else", nil},
	}
}

// contents are the columns.
func contents() []string {
	return []string{"no content", "blob", "sha512 blob", "OCI image", "OCI index", "schema 2", "docker list", "schema 1", "other manifest"}
}

// contentOf is the column of an exchange.
func contentOf(e wire.Exchange) string {
	if kind := manifestKind(e); kind != "" {
		return kind
	}
	switch e.Route.Op { //nolint:exhaustive // the rest carry nothing that has a kind
	case wire.OpBlobHead, wire.OpBlobGet, wire.OpBlobDelete, wire.OpUploadMount, wire.OpUploadPut, wire.OpUploadPatch:
		if strings.HasPrefix(e.Route.Digest.String(), "sha512:") {
			return "sha512 blob"
		}
		return "blob"
	}
	return "no content"
}

// manifestKind is the column of an exchange about a manifest: by what was sent or
// came back.
func manifestKind(e wire.Exchange) string {
	var said string
	switch e.Route.Op { //nolint:exhaustive // only these carry manifests
	case wire.OpManifestPut:
		said = e.Request.Header.Get("Content-Type")
	case wire.OpManifestGet, wire.OpManifestHead:
		if e.Response.Status != 200 {
			return ""
		}
		said = e.Response.Header.Get("Content-Type")
	default:
		return ""
	}
	kind, _, _ := mime.ParseMediaType(said)
	switch kind {
	case typeImage:
		return "OCI image"
	case typeIndex:
		return "OCI index"
	case typeSchema2:
		return "schema 2"
	case typeList:
		return "docker list"
	}
	if strings.Contains(kind, "manifest.v1+") && strings.Contains(kind, "docker") {
		return "schema 1"
	}
	return "other manifest"
}

func operationOf(e wire.Exchange) int {
	all := operations()
	for i, row := range all {
		if slices.Contains(row.ops, e.Route.Op) {
			return i
		}
	}
	return len(all) - 1
}

// Matrix makes the matrix of what the run did.
func (r *Report) Matrix() Matrix {
	m := Matrix{Contents: contents()}
	for _, row := range operations() {
		m.Operations = append(m.Operations, row.name)
		m.Cells = append(m.Cells, make([]MatrixCell, len(m.Contents)))
	}
	m.ByOperation, m.ByContent = make([]MatrixCell, len(m.Operations)), make([]MatrixCell, len(m.Contents))
	for _, v := range r.Verdicts {
		if v.Violation != nil && v.Violation.Exchange != nil {
			m.add(v, *v.Violation.Exchange, map[[2]int]bool{})
			continue
		}
		if v.Word != Pass && v.Word != FellBack {
			continue
		}
		seen := map[[2]int]bool{}
		for _, e := range v.Exchanges {
			m.add(v, e, seen)
		}
	}
	return m
}

// add notes a verdict where an exchange is, once.
func (m *Matrix) add(v Verdict, e wire.Exchange, seen map[[2]int]bool) {
	row, column := operationOf(e), slices.Index(m.Contents, contentOf(e))
	for _, place := range []struct {
		cell *MatrixCell
		key  [2]int
	}{
		{&m.Cells[row][column], [2]int{row, column}},
		{&m.ByOperation[row], [2]int{row, -1}},
		{&m.ByContent[column], [2]int{-1, column}},
	} {
		if seen[place.key] {
			continue
		}
		seen[place.key] = true
		c := place.cell
		if v.Word == Pass || v.Word == FellBack {
			c.Passed++
		} else {
			c.Checks = append(c.Checks, v.Check.ID)
		}
		if c.Word == "" || gravity(v.Word) > gravity(c.Word) {
			c.Word = v.Word
		}
	}
}

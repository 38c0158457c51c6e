package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

const fileBytesMax = 32 << 20

// source reads a log's files, from a directory or over HTTP.
type source struct{ location string }

func (s source) read(path string) ([]byte, error) {
	if !strings.HasPrefix(s.location, "http://") && !strings.HasPrefix(s.location, "https://") {
		return os.ReadFile(filepath.Join(s.location, filepath.FromSlash(path)))
	}
	client := http.Client{Timeout: 30 * time.Second}
	answer, err := client.Get(strings.TrimSuffix(s.location, "/") + "/" + path)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
		return io.ReadAll(io.LimitReader(answer.Body, fileBytesMax))
	case http.StatusNotFound, http.StatusGone:
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	return nil, fmt.Errorf("%s: HTTP %d", path, answer.StatusCode)
}

// tile reads tile or bundle number n, `width` wide; where the partial one went, the full one serves.
func (s source) tile(kind string, n uint64, width int) (data []byte, full bool, err error) {
	number := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		number = fmt.Sprintf("x%03d/%s", n%1000, number)
	}
	path := "tile/" + kind + "/" + number
	if width < 256 {
		data, err = s.read(fmt.Sprintf("%s.p/%d", path, width))
		if !errors.Is(err, fs.ErrNotExist) {
			return data, false, err
		}
	}
	data, err = s.read(path)
	return data, true, err
}

// hashes reads the first `width` hashes of a tile.
func (s source) hashes(level int, n uint64, width int) ([]byte, error) {
	data, full, err := s.tile(fmt.Sprint(level), n, width)
	if err != nil {
		return nil, err
	}
	if (full && len(data) != 256*32) || (!full && len(data) != width*32) {
		return nil, fmt.Errorf("tile %d/%d has %d bytes", level, n, len(data))
	}
	return data[:width*32], nil
}

// x/mod's own reader of tiles: C2SP's paths differ from the ones that it knows.
func (s source) Height() int                     { return 8 }
func (s source) SaveTiles([]tlog.Tile, [][]byte) {}
func (s source) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, tile := range tiles {
		var err error
		if data[i], err = s.hashes(tile.L, uint64(tile.N), tile.W); err != nil {
			return nil, err
		}
	}
	return data, nil
}

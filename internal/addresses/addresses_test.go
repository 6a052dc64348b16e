package addresses

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKeyOfIgnoresCaseAndSpace(t *testing.T) {
	key := KeyOf("ada@example.com")
	for _, same := range []string{"Ada@Example.COM", " ada@example.com\t"} {
		require.Equal(t, key, KeyOf(same), same)
	}
	for _, other := range []string{"", "ada@example.org", "ad@example.com", "a da@example.com", "ada@example.com."} {
		require.NotEqual(t, key, KeyOf(other), other)
	}
	require.NotEqual(t, KeyOf("us@example.com"), KeyOf("uſ@example.com"), "they are equal only by case folding")
}

func TestMapReturnsEntries(t *testing.T) {
	const clerksID = "inv_2x1234567890123456789012345"
	require.Len(t, clerksID, 31)
	for name, entry := range map[string]Entry{
		"nothing":        {},
		"a state":        {State: 6},
		"a recent one":   {State: 127, Recent: true},
		"pending":        {State: 1, ID: clerksID, Status: "pending"},
		"accepted":       {State: 2, ID: clerksID, Status: "accepted"},
		"a new status":   {State: 127, ID: clerksID, Status: "new"},
		"a short id":     {State: 1, ID: "inv_1", Status: "pending"},
		"a long id":      {State: 1, ID: clerksID + "6", Status: "pending"},
		"a very long id": {State: 1, ID: strings.Repeat("x", 1000), Status: "accepted"},
	} {
		t.Run(name, func(t *testing.T) {
			var m Map
			m.Set(KeyOf("other@example.com"), Entry{State: 3, ID: "inv_2", Status: "pending"})
			m.Set(KeyOf("ada@example.com"), entry)
			got, ok := m.Get(KeyOf("ADA@example.com"))
			require.True(t, ok)
			require.Equal(t, entry, got)
			_, ok = m.Get(KeyOf("grace@example.com"))
			require.False(t, ok)
		})
	}
}

func TestMapReplacesAndRemovesEntries(t *testing.T) {
	var m Map
	key := KeyOf("ada@example.com")
	_, ok := m.Get(key)
	require.False(t, ok)
	m.Remove(key)

	m.Set(key, Entry{State: 1, ID: strings.Repeat("long", 10), Status: "accepted"})
	m.Set(key, Entry{State: 1, ID: "inv_1", Status: "pending"})
	got, _ := m.Get(key)
	require.Equal(t, Entry{State: 1, ID: "inv_1", Status: "pending"}, got)
	m.Set(key, Entry{State: 3})
	got, ok = m.Get(key)
	require.True(t, ok)
	require.Equal(t, Entry{State: 3}, got)

	m.Remove(key)
	_, ok = m.Get(key)
	require.False(t, ok)
	m.Set(key, Entry{State: 1})
	_, ok = m.Get(key)
	require.True(t, ok)
}

// The entries fill more than one chunk.
func TestMapKeepsManyEntriesApart(t *testing.T) {
	var m Map
	const n = 2*chunkSize + 1
	id := func(i int) string { return fmt.Sprint("inv_", i, strings.Repeat("x", i%40)) }
	for i := range n {
		m.Set(KeyOf(fmt.Sprint(i, "@example.com")), Entry{State: 1, ID: id(i), Status: "pending"})
	}
	for i := range n {
		got, ok := m.Get(KeyOf(fmt.Sprint(i, "@example.com")))
		require.True(t, ok)
		require.Equal(t, id(i), got.ID)
	}
}

func TestMapDropsStatusesBeyond255(t *testing.T) {
	var m Map
	key := func(i int) Key { return KeyOf(fmt.Sprint(i, "@example.com")) }
	for i := range 300 {
		m.Set(key(i), Entry{State: 1, ID: "inv_1", Status: fmt.Sprint("status ", i)})
	}
	for i := range 300 {
		want := ""
		if i < 255 {
			want = fmt.Sprint("status ", i)
		}
		got, _ := m.Get(key(i))
		require.Equal(t, want, got.Status)
	}
}

// The IDs are as long as Clerk's.
func TestMapTakesLessThan96BytesPerAddress(t *testing.T) {
	heap := func() int64 {
		runtime.GC()
		runtime.GC() // the second run frees what has a finalizer
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	const n = 100_000
	before, most := heap(), int64(0)
	var m Map
	for i := range n {
		m.Set(KeyOf(fmt.Sprint(i, "@example.com")), Entry{State: 1, ID: fmt.Sprintf("inv_%027d", i), Status: "pending"})
		if i%(n/10) == n/10-1 {
			most = max(most, (heap()-before)/int64(i+1))
		}
	}
	runtime.KeepAlive(&m)
	t.Log(most, "bytes per address")
	require.Less(t, most, int64(96))
	require.Greater(t, most, int64(16), "the measurement is wrong")
}

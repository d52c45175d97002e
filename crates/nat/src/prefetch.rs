//! Asking the processor for memory that will be read soon.
#![cfg_attr(
    target_arch = "x86_64",
    expect(unsafe_code, reason = "a prefetch has no safe form, though it reads nothing and faults nowhere")
)]

/// Starts to fetch the cache line where `list[place]` begins into the second cache; where there is no such item, nothing
/// is wrong. Does nothing on processors other than x86-64.
///
/// Into the first cache, lines that are fetched in large numbers come half as fast: it seems to wait for fewer at a time
/// (`benches/README.md`).
#[inline(always)]
pub fn prefetch<T>(list: &[T], place: usize) {
    prefetch_lines(list, place, 1);
}

/// The same for that line and those after it, `lines` in all.
#[inline(always)]
pub fn prefetch_lines<T>(list: &[T], place: usize, lines: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        for line in 0..lines {
            let item = list.as_ptr().wrapping_add(place).cast::<i8>();
            // SAFETY: any address may be prefetched, and every x86-64 processor has the instruction.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(item.wrapping_add(64 * line)) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (list, place, lines);
}

//! Positions of rows in the view: distances, and the rows at the edges of the view.

use protocol::Seq;
use web_sys::{Element, ScrollIntoViewOptions, ScrollLogicalPosition};

use super::ScrollController;

pub(super) fn scroll_to(element: &Element, block: ScrollLogicalPosition) {
    let options = ScrollIntoViewOptions::new();
    options.set_block(block);
    element.scroll_into_view_with_scroll_into_view_options(&options);
}

pub(super) fn top(element: &Element) -> f64 {
    element.get_bounding_client_rect().top()
}

#[expect(clippy::cast_possible_truncation, reason = "no view is that high")]
pub(super) fn in_64ths(length: f64) -> i32 {
    (length * 64.0).round() as i32
}

pub(super) fn bottom(element: &Element) -> f64 {
    element.get_bounding_client_rect().bottom()
}

/// The distance between the pane's header and the bottom of the view. Not the height of the view,
/// because a banner between the two reduces the height without moving any message.
pub(super) fn edge_of(scroller: &Element) -> f64 {
    let pane = scroller.closest("main").ok().flatten();
    let header = pane.and_then(|pane| pane.first_element_child());
    bottom(scroller) - header.map_or(0.0, |header| bottom(&header))
}

pub(super) fn seq_of(row: &Element) -> Option<Seq> {
    row.get_attribute("data-seq")?.parse().ok().map(Seq)
}

pub(super) fn article_of(row: &Element) -> Option<Element> {
    row.query_selector("article").ok().flatten()
}

impl ScrollController {
    /// The row of a message, if it is on the page.
    pub(super) fn row(&self, seq: Seq) -> Option<Element> {
        self.list.query_selector(&format!("[data-seq=\"{seq}\"]")).ok().flatten()
    }

    /// The distance of an element's top from the end, independent of the scroll offset.
    pub(super) fn distance_from_end(&self, element: &Element) -> f64 {
        bottom(&self.content) - top(element)
    }

    /// The first message that begins in the view, else the message that fills the view, with its
    /// row. Found by binary search, because rows are in order.
    pub(super) fn first_in_view(&self) -> Option<(Element, Option<Element>)> {
        let (from, to) = (top(&self.scroller), bottom(&self.scroller));
        let first = self.halve(|row| bottom(row) <= from);
        let at = |index| {
            let row = self.list.children().item(index)?;
            let article = article_of(&row);
            Some((row, article))
        };
        let begins = |(_, article): &(Element, Option<Element>)| {
            article.as_ref().is_some_and(|article| (from..to).contains(&top(article)))
        };
        at(first).filter(begins).or_else(|| at(first + 1).filter(begins)).or_else(|| at(first))
    }

    /// The newest stored message whose top is in view.
    pub(super) fn last_in_view(&self) -> Option<Seq> {
        let edge = bottom(&self.scroller);
        let rows = self.list.children();
        let beyond = self.halve(|row| top(row) < edge - 8.0);
        (0..beyond).rev().find_map(|index| seq_of(&rows.item(index)?))
    }

    /// The index of the first row for which `before` is false, by binary search.
    pub(super) fn halve(&self, before: impl Fn(&Element) -> bool) -> u32 {
        let rows = self.list.children();
        let (mut low, mut high) = (0, rows.length());
        while low < high {
            let middle = low + (high - low) / 2;
            if rows.item(middle).is_some_and(|row| before(&row)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

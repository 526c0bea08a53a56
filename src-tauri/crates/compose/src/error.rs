/// Why something could not be composed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComposeError {
    /// The OS has no room for the render thread.
    #[error("the overlay render thread did not start")]
    Thread(#[source] std::io::Error),
    /// A template and the values for it do not belong together, or its SVG is broken.
    #[error("template {name}: {reason}")]
    Template {
        /// File name of the template.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The area to draw is empty or larger than memory allows.
    #[error("no room for {width}x{height} pixels")]
    Size {
        /// Pixels a row.
        width: u32,
        /// Rows.
        height: u32,
    },
}
